package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * A doorbell page of a ring. A back end offers it with VRING_HOST_NOTIFIER_MSG.
 *
 * <pre>
 *    0                8                16               24
 *   +----------------+----------------+----------------+
 *   | index | noFD   | size           | offset         |   first word as in VringDescriptor
 *   +----------------+----------------+----------------+
 * </pre>
 *
 * @param index the ring, 0 to 255
 * @param withoutDescriptor whether no descriptor is attached: the back end withdraws an earlier
 *     doorbell
 * @param length bytes to map
 * @param offset where the page begins in the file
 */
public record VringArea(int index, boolean withoutDescriptor, long length, long offset)
    implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 24;

  /** Checks the ranges. */
  public VringArea {
    Wire.requireRing(index);
    if (length != 0) {
      Wire.requireNoWrap("doorbell offset", offset, length);
    }
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, VringDescriptor.word(index, withoutDescriptor));
    Wire.putLong(out, length);
    Wire.putLong(out, offset);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.VRING_AREA;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the doorbell page, or its withdrawal
   * @throws ProtocolException if the size is another, a reserved bit is set or the area wraps
   *     around the end of the file
   */
  static VringArea decode(ByteBuf in, int size) {
    Wire.exactly("vring area", in, size, SIZE);
    long word = Wire.getLong(in);
    long length = Wire.getLong(in);
    long offset = Wire.getLong(in);
    return Wire.parsed(
        "vring area",
        () -> {
          VringDescriptor.requireNoReservedBits(word);
          return new VringArea(
              (int) (word & VringDescriptor.INDEX_MASK),
              (word & VringDescriptor.NO_DESCRIPTOR) != 0,
              length,
              offset);
        });
  }
}
