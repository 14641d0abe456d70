package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.util.UUID;

/**
 * A UUID. It is the only big-endian layout of the protocol: its first three parts are big-endian,
 * and the rest are bytes.
 *
 * <pre>
 *    0            4      6      8                16
 *   +------------+------+------+----------------+
 *   | u32        | u16  | u16  | 8 bytes        |
 *   +------------+------+------+----------------+
 * </pre>
 *
 * @param uuid the name of the object
 */
public record SharedObject(UUID uuid) implements Payload {
  /** Bytes on the wire. */
  public static final int SIZE = 16;

  @Override
  public int size() {
    return SIZE;
  }

  @Override
  public void encode(ByteBuf out) {
    out.writeLong(uuid.getMostSignificantBits());
    out.writeLong(uuid.getLeastSignificantBits());
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.SHARED_OBJECT;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; {@link #SIZE} is expected
   * @return the UUID
   * @throws ProtocolException if the size is another
   */
  static SharedObject decode(ByteBuf in, int size) {
    Wire.exactly("shared object", in, size, SIZE);
    return new SharedObject(new UUID(in.readLong(), in.readLong()));
  }
}
