package io.github.jvhost.protocol;

import io.github.jvhost.Bytes;
import io.netty.buffer.ByteBuf;

/**
 * A piece of the virtio configuration space, with its bytes as the guest sees them.
 *
 * <pre>
 *    0        4        8        12          12 + size
 *   +--------+--------+--------+-----------+
 *   | offset | size   | flags  | bytes     |
 *   +--------+--------+--------+-----------+
 * </pre>
 *
 * @param offset where it begins, in bytes
 * @param flags {@link #DRIVER_WRITABLE} or {@link #LIVE_MIGRATION}
 * @param content its bytes, at most 256 from the start of the space
 */
public record ConfigSpace(int offset, int flags, Bytes content) implements Payload {
  /** The most bytes that a configuration space can have. */
  public static final int MAX_BYTES = 256;

  /** Flag: only fields that a driver may write. */
  public static final int DRIVER_WRITABLE = 0;

  /** Flag: a live migration restores any field. */
  public static final int LIVE_MIGRATION = 1;

  private static final int FIXED = 12;

  /** Checks that the piece lies inside the space. */
  public ConfigSpace {
    if (offset < 0 || offset > MAX_BYTES || content.size() > MAX_BYTES - offset) {
      throw new IllegalArgumentException(
          content.size()
              + " bytes at offset "
              + Integer.toUnsignedString(offset)
              + " of a configuration space of 256");
    }
    if ((flags & ~LIVE_MIGRATION) != 0) {
      throw new IllegalArgumentException("configuration flags 0x" + Integer.toHexString(flags));
    }
  }

  @Override
  public int size() {
    return FIXED + content.size();
  }

  @Override
  public void encode(ByteBuf out) {
    Wire.putInt(out, offset);
    Wire.putInt(out, content.size());
    Wire.putInt(out, flags);
    out.writeBytes(content.toArray());
  }

  @Override
  public PayloadKind kind() {
    return PayloadKind.CONFIG;
  }

  /**
   * Reads a peer's bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says; 12 to 268
   * @return the piece of the configuration space
   * @throws ProtocolException if the size word does not match the number of bytes, the piece lies
   *     outside the space or a flag is unknown
   */
  static ConfigSpace decode(ByteBuf in, int size) {
    Wire.between("configuration space", in, size, FIXED, FIXED + MAX_BYTES);
    int offset = Wire.getInt(in);
    int length = Wire.getInt(in);
    int flags = Wire.getInt(in);
    if (length != size - FIXED) {
      throw new ProtocolException(
          "decoding configuration space: says "
              + Integer.toUnsignedString(length)
              + " bytes, "
              + (size - FIXED)
              + " are there");
    }
    Bytes content = Wire.getBytes(in, length);
    return Wire.parsed("configuration space", () -> new ConfigSpace(offset, flags, content));
  }
}
