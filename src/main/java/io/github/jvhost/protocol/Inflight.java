package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The region in which a back end notes the requests in flight. It is written with the tail padding
 * that C compilers add, and read with or without it.
 *
 * <pre>
 *    0                8                16      18      20        24
 *   +----------------+----------------+-------+-------+---------+
 *   | mmap size      | mmap offset    |queues | size  | padding |
 *   +----------------+----------------+-------+-------+---------+
 * </pre>
 *
 * @param mmapSize bytes to map; 0 in a reply means that there is nothing to share
 * @param mmapOffset where the region begins in the file
 * @param queues number of rings, 0 to 65535
 * @param queueSize entries per ring, 0 to 65535
 */
public record Inflight(long mmapSize, long mmapOffset, int queues, int queueSize)
    implements Payload {
  /** Bytes that are written. */
  public static final int SIZE = 24;

  private static final int MEANINGFUL = 20;

  /** Checks the ranges. */
  public Inflight {
    if (queues < 0 || queues > 0xFFFF || queueSize < 0 || queueSize > 0xFFFF) {
      throw new IllegalArgumentException(
          queues + " queues of " + queueSize + " entries: 0 to 65535 each");
    }
    if (mmapSize != 0) {
      Wire.requireNoWrap("mmap offset", mmapOffset, mmapSize);
    }
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, mmapSize);
    Wire.putLong(out, mmapOffset);
    Wire.putShort(out, queues);
    Wire.putShort(out, queueSize);
    Wire.putInt(out, 0);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.INFLIGHT;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; 20, or more with padding that is skipped
   * @return the description of the region
   * @throws ProtocolException if there are fewer than 20 bytes or the region wraps around the end
   *     of the file
   */
  static Inflight decode(ByteBuf in, int size) {
    Wire.between("inflight description", in, size, MEANINGFUL, Header.MAX_PAYLOAD);
    long mmapSize = Wire.getLong(in);
    long mmapOffset = Wire.getLong(in);
    int queues = Wire.getUnsignedShort(in);
    int queueSize = Wire.getUnsignedShort(in);
    in.skipBytes(size - MEANINGFUL);
    return Wire.parsed(
        "inflight description", () -> new Inflight(mmapSize, mmapOffset, queues, queueSize));
  }
}
