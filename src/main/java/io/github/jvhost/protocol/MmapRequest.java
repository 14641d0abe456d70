package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * A mapping that a back end wants to add to, or remove from, a shared memory region.
 *
 * <pre>
 *    0       1         8              16              24        32        40
 *   +-------+---------+--------------+---------------+---------+---------+
 *   | shmid | padding | file offset  | region offset | length  | flags   |   flags: bit 0 writable
 *   +-------+---------+--------------+---------------+---------+---------+
 * </pre>
 *
 * @param region the shared memory region, 0 to 255
 * @param fileOffset where the mapping begins in the file
 * @param regionOffset where the mapping begins in the region
 * @param length bytes
 * @param writable whether it is mapped for writing
 */
public record MmapRequest(
    int region, long fileOffset, long regionOffset, long length, boolean writable)
    implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 40;

  /** Checks the ranges. */
  public MmapRequest {
    if (region < 0 || region > 255) {
      throw new IllegalArgumentException("shared memory region " + region);
    }
    if (length != 0) {
      Wire.requireNoWrap("file offset", fileOffset, length);
      Wire.requireNoWrap("region offset", regionOffset, length);
    }
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    out.writeByte(region);
    out.writeZero(7);
    Wire.putLong(out, fileOffset);
    Wire.putLong(out, regionOffset);
    Wire.putLong(out, length);
    Wire.putLong(out, writable ? 1 : 0);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.MMAP;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the mapping to add or remove
   * @throws ProtocolException if the size is another, a reserved flag is set or a range wraps
   *     around
   */
  static MmapRequest decode(ByteBuf in, int size) {
    Wire.exactly("mmap request", in, size, SIZE);
    int region = in.readUnsignedByte();
    in.skipBytes(7);
    long fileOffset = Wire.getLong(in);
    long regionOffset = Wire.getLong(in);
    long length = Wire.getLong(in);
    long flags = Wire.getLong(in);
    if ((flags & ~1L) != 0) {
      throw new ProtocolException(
          "decoding mmap request: reserved flags 0x" + Long.toHexString(flags));
    }
    return Wire.parsed(
        "mmap request",
        () -> new MmapRequest(region, fileOffset, regionOffset, length, flags == 1));
  }
}
