package io.github.jvhost.testkit.net;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * The payload of an echo request. It makes the answer verifiable: the ICMP sequence number has only
 * 16 bits, and memory that was not migrated has to show as a wrong byte.
 *
 * <pre>
 *   0       4       8                 16
 *   +-------+-------+-----------------+----------------------------------------+
 *   | magic | tag   | sequence number | bytes computed from tag and sequence   |
 *   +-------+-------+-----------------+----------------------------------------+
 * </pre>
 *
 * @param tag identifies the asker, freely chosen
 * @param sequence the whole sequence number
 * @param length of the payload in bytes, 16 to 1,472
 */
public record EchoPayload(int tag, long sequence, int length) {
  /** The shortest payload in bytes. */
  public static final int MINIMUM = 16;

  private static final int MAGIC = 0x6a766870;

  /** Checks the length. */
  public EchoPayload {
    if (length < MINIMUM || length > 1472) {
      throw new IllegalArgumentException("an echo payload has 16 to 1472 bytes, not " + length);
    }
  }

  /** {@return the bytes, in a new buffer at position 0} */
  public ByteBuffer encode() {
    ByteBuffer out = ByteBuffer.allocate(length);
    out.putInt(MAGIC).putInt(tag).putLong(sequence);
    for (int i = MINIMUM; i < length; i++) {
      out.put(patternAt(i));
    }
    return out.flip();
  }

  /**
   * Reads the payload of an answer.
   *
   * @param in the payload; its position does not change
   * @return empty if a byte differs from what {@link #encode} writes
   */
  public static Optional<EchoPayload> parse(ByteBuffer in) {
    int at = in.position();
    int length = in.remaining();
    if (length < MINIMUM || length > 1472 || in.getInt(at) != MAGIC) {
      return Optional.empty();
    }
    EchoPayload payload = new EchoPayload(in.getInt(at + 4), in.getLong(at + 8), length);
    for (int i = MINIMUM; i < length; i++) {
      if (in.get(at + i) != payload.patternAt(i)) {
        return Optional.empty();
      }
    }
    return Optional.of(payload);
  }

  private byte patternAt(int i) {
    // Fibonacci hashing: neighbouring sequence numbers differ in every byte, not only in the last
    // one.
    return (byte) ((sequence * 0x9e3779b97f4a7c15L + tag + i * 0x632be59bd9b4e019L) >>> 56);
  }
}
