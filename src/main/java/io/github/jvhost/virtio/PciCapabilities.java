package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;

/**
 * Walks the capability list of a PCI config space. Only this list says how long a saved MSI-X table
 * is. It also says whether the device is a PCI Express device. Thread-safe, because it has no
 * state.
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
   * {@return how many MSI-X vectors the device has, 0 to 2048; 0 when it has no MSI-X} An invalid
   * entry ends the list.
   *
   * @param configSpace the whole config space, 256 or 4096 bytes
   */
  public static int msixVectors(Bytes configSpace) {
    int at = find(configSpace, MSIX);
    return at < 0 ? 0 : (configSpace.littleEndian16(at + 2) & 0x7FF) + 1;
  }

  /**
   * {@return whether the device has the PCI Express capability}
   *
   * @param configSpace the whole config space, 256 or 4096 bytes
   */
  public static boolean isExpress(Bytes configSpace) {
    return find(configSpace, EXPRESS) >= 0;
  }

  /** The offset of a capability; -1 if there is none. */
  private static int find(Bytes configSpace, int id) {
    if ((configSpace.at(STATUS) & STATUS_HAS_LIST) == 0) {
      return -1;
    }
    int at = configSpace.at(FIRST) & ~3;
    // 48 entries fill the space. The limit also ends a list with a loop.
    for (int hops = 0; hops < 48 && at >= LOWEST && at <= HIGHEST; hops++) {
      if (configSpace.at(at) == id) {
        return at;
      }
      at = configSpace.at(at + 1) & ~3;
    }
    return -1;
  }
}
