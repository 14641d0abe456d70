package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * An entry of the I/O translation buffer. It is written with the tail padding that C compilers add,
 * and read with or without it.
 *
 * <pre>
 *    0                8                16               24     25     26        32
 *   +----------------+----------------+----------------+------+------+---------+
 *   | iova           | size           | user address   | perm | type | padding |
 *   +----------------+----------------+----------------+------+------+---------+
 * </pre>
 *
 * @param iova I/O virtual address, as the device uses it
 * @param length bytes
 * @param userAddress user address that it translates to
 * @param permission 0 none, 1 read, 2 write, 3 both
 * @param type {@link #MISS}, {@link #UPDATE}, {@link #INVALIDATE} or {@link #ACCESS_FAIL}
 */
public record Iotlb(long iova, long length, long userAddress, int permission, int type)
    implements Payload {
  /** Bytes that are written. */
  public static final int SIZE = 32;

  /** Type: the back end has no translation. */
  public static final int MISS = 1;

  /** Type: the front end sends a translation. */
  public static final int UPDATE = 2;

  /** Type: the front end removes a translation. */
  public static final int INVALIDATE = 3;

  /** Type: the translation does not permit the access of the back end. */
  public static final int ACCESS_FAIL = 4;

  private static final int MEANINGFUL = 26;

  /** Checks the ranges. */
  public Iotlb {
    if (permission < 0 || permission > 3) {
      throw new IllegalArgumentException("IOTLB permission " + permission);
    }
    if (type < MISS || type > ACCESS_FAIL) {
      throw new IllegalArgumentException("IOTLB type " + type);
    }
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, iova);
    Wire.putLong(out, length);
    Wire.putLong(out, userAddress);
    out.writeByte(permission);
    out.writeByte(type);
    out.writeZero(SIZE - MEANINGFUL);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.IOTLB;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; 26, or more with padding that is skipped
   * @return the entry
   * @throws ProtocolException if there are fewer than 26 bytes or the permission or type is unknown
   */
  static Iotlb decode(ByteBuf in, int size) {
    Wire.between("IOTLB message", in, size, MEANINGFUL, Header.MAX_PAYLOAD);
    long iova = Wire.getLong(in);
    long length = Wire.getLong(in);
    long userAddress = Wire.getLong(in);
    int permission = in.readUnsignedByte();
    int type = in.readUnsignedByte();
    in.skipBytes(size - MEANINGFUL);
    return Wire.parsed(
        "IOTLB message", () -> new Iotlb(iova, length, userAddress, permission, type));
  }
}
