package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/** The payload of a message that consists of its header alone. */
public enum NoPayload implements Payload {
  /** The only one. */
  INSTANCE;

  @Override
  public int size() {
    return 0;
  }

  @Override
  public void encode(ByteBuf out) {
    // A header alone.
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.NONE;
  }

  /**
   * Checks the size and reads nothing.
   *
   * @param in is left as it is
   * @param size bytes of the payload, as its header says; must be 0
   * @return {@link #INSTANCE}
   * @throws ProtocolException if {@code size} is not 0
   */
  static NoPayload decode(ByteBuf in, int size) {
    Wire.exactly("empty payload", in, size, 0);
    return INSTANCE;
  }
}
