package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Bytes that never change and compare by content: what records hold where an array would break
 * both.
 */
public final class Bytes {
  private final byte[] content;

  private Bytes(byte[] content) {
    this.content = content;
  }

  /**
   * {@return the bytes of an array}
   *
   * @param content copied; may be empty
   */
  public static Bytes of(byte... content) {
    return new Bytes(content.clone());
  }

  static Bytes read(ByteBuf in, int count) {
    byte[] content = new byte[count];
    in.readBytes(content);
    return new Bytes(content);
  }

  /** {@return how many bytes there are} */
  public int length() {
    return content.length;
  }

  /** {@return a copy of the bytes, the caller's to change} */
  public byte[] toArray() {
    return content.clone();
  }

  void write(ByteBuf out) {
    out.writeBytes(content);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Bytes that && Arrays.equals(content, that.content);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(content);
  }

  @Override
  public String toString() {
    return HexFormat.of().formatHex(content);
  }
}
