package io.github.jvhost.protocol;

import io.github.jvhost.Bytes;
import io.netty.buffer.ByteBuf;

/**
 * Bytes that this front end passes on but does not read: a crypto session.
 *
 * @param content 0 to {@link Header#MAX_PAYLOAD} bytes
 */
public record OpaquePayload(Bytes content) implements Payload {
  /** Checks the length. */
  public OpaquePayload {
    if (content.size() > Header.MAX_PAYLOAD) {
      throw new IllegalArgumentException("an opaque payload of " + content.size() + " bytes");
    }
  }

  @Override
  public int size() {
    return content.size();
  }

  @Override
  public void encode(ByteBuf out) {
    out.writeBytes(content.toArray());
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.OPAQUE;
  }

  /**
   * Reads {@code size} bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; 0 to {@link Header#MAX_PAYLOAD}
   * @return a copy of the bytes
   * @throws ProtocolException if there are too many bytes or some are missing
   */
  static OpaquePayload decode(ByteBuf in, int size) {
    Wire.between("opaque payload", in, size, 0, Header.MAX_PAYLOAD);
    return new OpaquePayload(Wire.getBytes(in, size));
  }
}
