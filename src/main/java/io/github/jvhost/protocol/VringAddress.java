package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The addresses of the parts of a ring (specification, "Vring address description"). The order on
 * the wire is descriptor, used, available.
 *
 * <pre>
 *    0        4        8                16               24               32               40
 *   +--------+--------+----------------+----------------+----------------+----------------+
 *   | index  | flags  | descriptor     | used           | available      | log            |
 *   +--------+--------+----------------+----------------+----------------+----------------+
 * </pre>
 *
 * @param index the ring, 0 to 255
 * @param flags {@link #LOG} or 0
 * @param descriptor user address of the descriptor area (IOVA with an IOMMU)
 * @param used user address of the used ring, or of the device event area
 * @param available user address of the available ring, or of the driver event area
 * @param log guest address under which writes to the used ring are logged
 */
public record VringAddress(
    int index, int flags, long descriptor, long used, long available, long log) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 40;

  /** Flag: writes to the used ring are logged. */
  public static final int LOG = 1;

  /** Checks index and flags. */
  public VringAddress {
    Wire.requireRing(index);
    if ((flags & ~LOG) != 0) {
      throw new IllegalArgumentException("reserved ring flags 0x" + Integer.toHexString(flags));
    }
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, index);
    Wire.putInt(out, flags);
    Wire.putLong(out, descriptor);
    Wire.putLong(out, used);
    Wire.putLong(out, available);
    Wire.putLong(out, log);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.VRING_ADDRESS;
  }

  /**
   * Reads 40 bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the addresses, as the peer wrote them
   * @throws ProtocolException if the size is another, the index is above 255 or a reserved flag is
   *     set
   */
  static VringAddress decode(ByteBuf in, int size) {
    Wire.exactly("vring address", in, size, SIZE);
    int index = Wire.getInt(in);
    int flags = Wire.getInt(in);
    long descriptor = Wire.getLong(in);
    long used = Wire.getLong(in);
    long available = Wire.getLong(in);
    long log = Wire.getLong(in);
    return Wire.parsed(
        "vring address", () -> new VringAddress(index, flags, descriptor, used, available, log));
  }
}
