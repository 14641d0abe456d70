package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * One region of guest memory, in a table or alone (specification, "Memory region description").
 *
 * <pre>
 *    0                8                16               24               32
 *   +----------------+----------------+----------------+----------------+
 *   | guest address  | size           | user address   | mmap offset    |
 *   +----------------+----------------+----------------+----------------+
 * </pre>
 *
 * <p>Ring addresses are user addresses. A user address need not be a pointer. All values are
 * unsigned.
 *
 * @param guestAddress guest-physical address of its first byte
 * @param size bytes, not 0
 * @param userAddress user address of its first byte
 * @param mmapOffset where it begins in its file
 */
public record MemoryRegionPayload(long guestAddress, long size, long userAddress, long mmapOffset) {
  /** Bytes on the wire. */
  public static final int SIZE = 32;

  /**
   * Checks that the region is not empty and does not wrap around in any of its three address
   * spaces.
   */
  public MemoryRegionPayload {
    if (size == 0) {
      throw new IllegalArgumentException(
          "a memory region of size 0 at guest address 0x" + Long.toHexString(guestAddress));
    }
    Wire.requireNoWrap("guest address", guestAddress, size);
    Wire.requireNoWrap("user address", userAddress, size);
    Wire.requireNoWrap("mmap offset", mmapOffset, size);
  }

  void encode(ByteBuf out) {
    Wire.putLong(out, guestAddress);
    Wire.putLong(out, size);
    Wire.putLong(out, userAddress);
    Wire.putLong(out, mmapOffset);
  }

  static MemoryRegionPayload decode(ByteBuf in) {
    long guestAddress = Wire.getLong(in);
    long size = Wire.getLong(in);
    long userAddress = Wire.getLong(in);
    long mmapOffset = Wire.getLong(in);
    return Wire.parsed(
        "memory region",
        () -> new MemoryRegionPayload(guestAddress, size, userAddress, mmapOffset));
  }
}
