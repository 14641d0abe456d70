package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * A ring and a number: its size, its base, whether it is enabled.
 *
 * <pre>
 *    0        4        8
 *   +--------+--------+     base of a split ring:  bits 0-15 next avail index, rest 0
 *   | index  | num    |     base of a packed ring: 0-14 avail, 15 its wrap counter,
 *   +--------+--------+                            16-30 used, 31 its wrap counter
 * </pre>
 *
 * @param index the ring, 0 to 255
 * @param num all 32 bits of the number; the base of a packed ring may be negative as an int
 */
public record VringState(int index, int num) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 8;

  /** Checks the index. */
  public VringState {
    Wire.requireRing(index);
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, index);
    Wire.putInt(out, num);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.VRING_STATE;
  }

  /**
   * Reads 8 bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the ring and the number
   * @throws ProtocolException if the size is another or the index is above 255
   */
  static VringState decode(ByteBuf in, int size) {
    Wire.exactly("vring state", in, size, SIZE);
    int index = Wire.getInt(in);
    int num = Wire.getInt(in);
    return Wire.parsed("vring state", () -> new VringState(index, num));
  }
}
