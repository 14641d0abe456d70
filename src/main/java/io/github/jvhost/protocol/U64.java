package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One 64-bit number: feature bits, a status byte, an MTU, a MAC address, an acknowledgement (0 is
 * success).
 *
 * <pre>
 *    0                8
 *   +----------------+
 *   | value          |
 *   +----------------+
 * </pre>
 *
 * @param value all 64 bits, unsigned
 */
public record U64(long value) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 8;

  /**
   * {@return the payload of SEND_RARP: the address in the first six bytes, in memory order,
   * whatever the host's byte order}
   *
   * @param mac six bytes
   */
  public static U64 ofMac(byte[] mac) {
    if (mac.length != 6) {
      throw new IllegalArgumentException("a MAC address of " + mac.length + " bytes");
    }
    byte[] padded = new byte[SIZE];
    System.arraycopy(mac, 0, padded, 0, mac.length);
    return new U64(ByteBuffer.wrap(padded).order(ByteOrder.nativeOrder()).getLong());
  }

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putLong(out, value);
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.U64;
  }

  /**
   * Reads 8 bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the number
   * @throws ProtocolException if the size is another
   */
  public static U64 decode(ByteBuf in, int size) {
    Wire.exactly("u64", in, size, SIZE);
    return new U64(Wire.getLong(in));
  }
}
