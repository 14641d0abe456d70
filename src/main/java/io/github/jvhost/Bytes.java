package io.github.jvhost;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * An immutable, thread-safe sequence of bytes that is compared by its content. Records use it
 * instead of an array: an array is compared by identity, and anybody who has it can change it.
 */
public final class Bytes {
  /** No bytes at all. */
  public static final Bytes EMPTY = new Bytes(new byte[0]);

  private final byte[] content;

  private Bytes(byte[] content) {
    this.content = content;
  }

  /**
   * {@return a copy of the given bytes}
   *
   * @param source any array; the caller may change it afterwards
   */
  public static Bytes copyOf(byte... source) {
    return source.length == 0 ? EMPTY : new Bytes(source.clone());
  }

  /**
   * {@return a copy of a buffer's bytes from its position to its limit, neither of which moves}
   *
   * @param source any buffer; the caller may change it afterwards
   */
  public static Bytes copyOf(ByteBuffer source) {
    if (!source.hasRemaining()) {
      return EMPTY;
    }
    byte[] copy = new byte[source.remaining()];
    source.get(source.position(), copy);
    return new Bytes(copy);
  }

  /**
   * {@return a value of that many zero bytes}
   *
   * @param size how many, not negative
   */
  public static Bytes zeros(int size) {
    return new Bytes(new byte[size]);
  }

  /** {@return how many bytes there are} */
  public int size() {
    return content.length;
  }

  /**
   * {@return the byte at an index, 0 to 255}
   *
   * @param index from 0, below {@link #size()}
   */
  public int at(int index) {
    return content[index] & 0xFF;
  }

  /** {@return a new read-only, big-endian buffer over the bytes, which are not copied} */
  public ByteBuffer asBuffer() {
    return ByteBuffer.wrap(content).asReadOnlyBuffer();
  }

  /** {@return a copy of the bytes, which the caller owns} */
  public byte[] toArray() {
    return content.clone();
  }

  /**
   * {@return the 16-bit little-endian value at an index, 0 to 65535} This is how PCI and virtio
   * write their registers.
   *
   * @param index of the lower byte; the higher byte follows it and must exist
   */
  public int littleEndian16(int index) {
    return at(index) | at(index + 1) << 8;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Bytes that && Arrays.equals(content, that.content);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(content);
  }

  /** {@return all bytes as hexadecimal digits, two each} */
  public String toHex() {
    return HexFormat.of().formatHex(content);
  }

  /**
   * {@return the first 64 bytes as in {@link #toHex}; if there are more, the number of all bytes as
   * well}
   */
  @Override
  public String toString() {
    return content.length <= 64
        ? toHex()
        : HexFormat.of().formatHex(content, 0, 64) + "... (" + content.length + " bytes)";
  }
}
