package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;

/**
 * Walks the capability list of a PCI config space. It says how long a saved MSI-X table is, which
 * is said nowhere else, and whether the device is one of PCI Express. No state, and so thread-safe.
 *
 * <pre>
 *   0x06  status          bit 4: there is a capability list
 *   0x34  first capability
 *   at each: +0 id   +1 next (0 = last)   MSI-X (id 0x11): +2 message control, u16 LE, bits 0-10 = vectors - 1
 *                                                 PCI Express: id 0x10
 * </pre>
 */
public final class PciCapabilities {
  private static final int STATUS = 0x06;
  private static final int STATUS_HAS_LIST = 0x10;
  private static final int FIRST = 0x34;
  private static final int EXPRESS = 0x10;
  private static final int MSIX = 0x11;
  private static final int LOWEST = 0x40;
  private static final int HIGHEST = 0xFC;

  private PciCapabilities() {}

  /**
   * {@return how many MSI-X vectors the device has, 0 to 2048; 0 when it has no MSI-X} A list that
   * is broken ends where it is.
   *
   * @param configSpace all of it, 256 or 4096 bytes
   */
  public static int msixVectors(Bytes configSpace) {
    int at = find(configSpace, MSIX);
    return at < 0 ? 0 : (configSpace.littleEndian16(at + 2) & 0x7FF) + 1;
  }

  /**
   * {@return whether the device has the capability of PCI Express devices}
   *
   * @param configSpace all of it, 256 or 4096 bytes
   */
  public static boolean isExpress(Bytes configSpace) {
    return find(configSpace, EXPRESS) >= 0;
  }

  /** Where a capability is; -1 where it is not. */
  private static int find(Bytes configSpace, int id) {
    if ((configSpace.at(STATUS) & STATUS_HAS_LIST) == 0) {
      return -1;
    }
    int at = configSpace.at(FIRST) & ~3;
    // No list is longer than the space it lives in: a loop ends too.
    for (int hops = 0; hops < 48 && at >= LOWEST && at <= HIGHEST; hops++) {
      if (configSpace.at(at) == id) {
        return at;
      }
      at = configSpace.at(at + 1) & ~3;
    }
    return -1;
  }
}
