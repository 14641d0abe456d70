package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The position of the dirty log in the file that is attached to SET_LOG_BASE.
 *
 * <pre>
 *    0                8                16
 *   +----------------+----------------+
 *   | size           | offset         |
 *   +----------------+----------------+
 * </pre>
 *
 * @param bytes size of the bitmap, not 0
 * @param offset where it begins in the file
 */
public record LogRegion(long bytes, long offset) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 16;

  /** Checks the ranges. */
  public LogRegion {
    if (bytes == 0) {
      throw new IllegalArgumentException("a dirty log of 0 bytes");
    }
    Wire.requireNoWrap("log offset", offset, bytes);
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, bytes);
    Wire.putLong(out, offset);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.LOG;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the position of the log
   * @throws ProtocolException if the size is another, the log is empty or it wraps around the end
   *     of the file
   */
  static LogRegion decode(ByteBuf in, int size) {
    Wire.exactly("log region", in, size, SIZE);
    long bytes = Wire.getLong(in);
    long offset = Wire.getLong(in);
    return Wire.parsed("log region", () -> new LogRegion(bytes, offset));
  }
}
