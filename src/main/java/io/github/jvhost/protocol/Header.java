package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The 12 bytes in front of every message (specification, "Header").
 *
 * <pre>
 *    0        4        8        12
 *   +--------+--------+--------+
 *   |request | flags  | size   |   flags: bits 0-1 version (1), bit 2 reply, bit 3 wants a reply, rest zero
 *   +--------+--------+--------+   size:  of the payload alone
 * </pre>
 *
 * @param request the id; its number space depends on the socket and the direction
 * @param flags version, {@link #REPLY}, {@link #NEED_REPLY}
 * @param size bytes of the payload, 0 to {@link #MAX_PAYLOAD}
 */
public record Header(int request, int flags, int size) {
  /** Bytes of a header. */
  public static final int SIZE = 12;

  /** The only version of the protocol, in bits 0 and 1 of the flags. */
  public static final int VERSION = 1;

  /** Flag: this message answers another. */
  public static final int REPLY = 4;

  /** Flag: the sender wants an answer; valid only after REPLY_ACK is negotiated. */
  public static final int NEED_REPLY = 8;

  /** All flags of a reply. A reply must not repeat NEED_REPLY. */
  public static final int REPLY_FLAGS = VERSION | REPLY;

  /**
   * The largest payload that is accepted from a peer, in bytes. The largest defined layout has 2056
   * bytes.
   */
  public static final int MAX_PAYLOAD = 4096;

  /** Refuses values that {@link #decode} would refuse. */
  public Header {
    if ((flags & 3) != VERSION) {
      throw new IllegalArgumentException("version " + (flags & 3) + ", expected 1");
    }
    if ((flags & ~0xF) != 0) {
      throw new IllegalArgumentException("reserved flags 0x" + Integer.toHexString(flags));
    }
    if (size < 0 || size > MAX_PAYLOAD) {
      throw new IllegalArgumentException(
          "payload of " + Integer.toUnsignedString(size) + " bytes, at most " + MAX_PAYLOAD);
    }
  }

  /**
   * {@return the header of a request}
   *
   * @param id in the number space of the socket on which it is sent
   * @param size bytes of the payload, 0 to {@link #MAX_PAYLOAD}
   * @param needReply whether to set {@link #NEED_REPLY}
   */
  public static Header request(int id, int size, boolean needReply) {
    return new Header(id, needReply ? VERSION | NEED_REPLY : VERSION, size);
  }

  /**
   * {@return the header of a reply}
   *
   * @param id the number of the request that is answered
   * @param size bytes of the payload, 0 to {@link #MAX_PAYLOAD}
   */
  public static Header reply(int id, int size) {
    return new Header(id, REPLY_FLAGS, size);
  }

  /** {@return whether this message answers another} */
  public boolean isReply() {
    return (flags & REPLY) != 0;
  }

  /** {@return whether the sender wants an answer} */
  public boolean needsReply() {
    return (flags & NEED_REPLY) != 0;
  }

  /**
   * Reads 12 bytes.
   *
   * @param in holds the header from its reader index on; the index moves past it
   * @return the header, after its ranges were checked
   * @throws ProtocolException if the version, a reserved flag or the size is wrong, or bytes are
   *     missing
   */
  public static Header decode(ByteBuf in) {
    Wire.exactly("header", in, SIZE, SIZE);
    int request = Wire.getInt(in);
    int flags = Wire.getInt(in);
    int size = Wire.getInt(in);
    return Wire.parsed(
        "header of message " + Integer.toUnsignedString(request),
        () -> new Header(request, flags, size));
  }

  /**
   * Writes 12 bytes.
   *
   * @param out takes the bytes at its writer index, which moves; the caller keeps it
   */
  public void encode(ByteBuf out) {
    encode(out, request, flags, size);
  }

  /**
   * Writes 12 bytes without making a record. The values are not checked.
   *
   * @param out takes the bytes at its writer index, which moves; the caller keeps it
   * @param request the id
   * @param flags all flags, including the version
   * @param size bytes of the payload alone
   */
  public static void encode(ByteBuf out, int request, int flags, int size) {
    Wire.putInt(out, request);
    Wire.putInt(out, flags);
    Wire.putInt(out, size);
  }
}
