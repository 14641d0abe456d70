package io.github.jvhost;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * A row of bytes as a value: immutable and so thread-safe, compared by content. What a record uses
 * where an array would be compared by identity and could be written to by anybody who got hold of
 * it.
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
   * @param source any array, which the caller may go on changing
   */
  public static Bytes copyOf(byte... source) {
    return source.length == 0 ? EMPTY : new Bytes(source.clone());
  }

  /**
   * {@return a copy of a buffer's bytes from its position to its limit, neither of which moves}
   *
   * @param source any buffer, which the caller may go on changing
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
   * {@return that many zero bytes}
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

  /** {@return the bytes without a copy, in a read-only buffer of its own, big-endian} */
  public ByteBuffer asBuffer() {
    return ByteBuffer.wrap(content).asReadOnlyBuffer();
  }

  /** {@return a copy of the bytes, the caller's own} */
  public byte[] toArray() {
    return content.clone();
  }

  /**
   * {@return the 16-bit little-endian value at an index, 0 to 65535} This is how PCI and virtio
   * write their registers.
   *
   * @param index of its lower byte; the higher one is behind it and must be there too
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

  /** {@return the first 64 bytes as {@link #toHex} shows them, and how many there are if more} */
  @Override
  public String toString() {
    return content.length <= 64
        ? toHex()
        : HexFormat.of().formatHex(content, 0, 64) + "... (" + content.length + " bytes)";
  }
}
