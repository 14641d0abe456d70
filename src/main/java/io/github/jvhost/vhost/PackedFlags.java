package io.github.jvhost.vhost;

import io.github.jvhost.memory.GuestMemory;

/**
 * Reads the flags of a packed descriptor (virtio 1.2, 2.8.1): each side's bit is compared with its
 * wrap counter.
 *
 * <pre>
 *   descriptor, 16 bytes: | addr 8 | len 4 | id 2 | flags 2 |     flags: AVAIL bit 7, USED bit 15
 * </pre>
 */
final class PackedFlags {
  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;
  private static final int DESCRIPTOR = 16;
  private static final int FLAGS_AT = 14;

  private PackedFlags() {}

  /** Whether the first descriptor was never written, so that no descriptor was. */
  static boolean isBlank(GuestMemory memory, long descriptors) {
    return memory.getLong(descriptors) == 0 && memory.getLong(descriptors + Long.BYTES) == 0;
  }

  /** Whether a device in this lap has written the descriptor at this index as used. */
  static boolean isUsed(GuestMemory memory, long descriptors, int index, boolean wrap) {
    int flags = memory.getShort(descriptors + (long) DESCRIPTOR * index + FLAGS_AT) & 0xffff;
    return ((flags & AVAIL) != 0) == wrap && ((flags & USED) != 0) == wrap;
  }
}
