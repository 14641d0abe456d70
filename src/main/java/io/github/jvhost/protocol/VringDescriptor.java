package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The payload of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.
 *
 * <pre>
 *    bit 63          9   8   7       0
 *   +-----------------+-----+---------+
 *   | 0               | noFD| index   |
 *   +-----------------+-----+---------+
 * </pre>
 *
 * @param index the ring, 0 to 255
 * @param withoutDescriptor whether no descriptor is attached: the back end polls the ring (kick),
 *     or does not notify the guest (call)
 */
public record VringDescriptor(int index, boolean withoutDescriptor) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 8;

  static final long NO_DESCRIPTOR = 0x100;
  static final long INDEX_MASK = 0xFF;

  /** Checks the index. */
  public VringDescriptor {
    Wire.requireRing(index);
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, word(index, withoutDescriptor));
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.VRING_DESCRIPTOR;
  }

  static long word(int index, boolean withoutDescriptor) {
    return withoutDescriptor ? index | NO_DESCRIPTOR : index;
  }

  static void requireNoReservedBits(long word) {
    if ((word & ~(INDEX_MASK | NO_DESCRIPTOR)) != 0) {
      throw new IllegalArgumentException("reserved bits in 0x" + Long.toHexString(word));
    }
  }

  /**
   * Reads 8 bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the ring, and whether a descriptor is attached
   * @throws ProtocolException if the size is another or a reserved bit is set
   */
  static VringDescriptor decode(ByteBuf in, int size) {
    Wire.exactly("vring descriptor", in, size, SIZE);
    long word = Wire.getLong(in);
    return Wire.parsed(
        "vring descriptor",
        () -> {
          requireNoReservedBits(word);
          return new VringDescriptor((int) (word & INDEX_MASK), (word & NO_DESCRIPTOR) != 0);
        });
  }
}
