package io.github.jvhost.vhost.plan;

/**
 * The flags of a packed descriptor (virtio 1.2, 2.8.1): each side's bit is compared with its wrap
 * counter.
 *
 * <pre>
 *   descriptor, 16 bytes: | addr 8 | len 4 | id 2 | flags 2 |     flags: AVAIL bit 7, USED bit 15
 * </pre>
 */
public final class PackedFlags {
  /** Bytes of a descriptor. */
  public static final int DESCRIPTOR = 16;

  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;
  private static final int FLAGS_AT = 14;

  private PackedFlags() {}

  /**
   * {@return where the flags of a descriptor are: two bytes, little-endian}
   *
   * @param descriptors guest address of the ring
   * @param index of the descriptor, from 0
   */
  public static long at(long descriptors, int index) {
    return descriptors + (long) DESCRIPTOR * index + FLAGS_AT;
  }

  /**
   * {@return whether a device in this lap has written a descriptor as used}
   *
   * @param flags of the descriptor
   * @param wrap the device's wrap counter
   */
  public static boolean isUsed(int flags, boolean wrap) {
    return ((flags & AVAIL) != 0) == wrap && ((flags & USED) != 0) == wrap;
  }
}
