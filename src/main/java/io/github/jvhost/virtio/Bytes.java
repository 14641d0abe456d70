package io.github.jvhost.virtio;

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

  /** A copy of the given bytes. */
  public static Bytes copyOf(byte[] source) {
    return source.length == 0 ? EMPTY : new Bytes(source.clone());
  }

  /** A copy of a buffer's bytes from its position to its limit, neither of which moves. */
  public static Bytes copyOf(ByteBuffer source) {
    if (!source.hasRemaining()) {
      return EMPTY;
    }
    byte[] copy = new byte[source.remaining()];
    source.get(source.position(), copy);
    return new Bytes(copy);
  }

  /** That many zero bytes. */
  public static Bytes zeros(int size) {
    return new Bytes(new byte[size]);
  }

  /** How many bytes there are. */
  public int size() {
    return content.length;
  }

  /** The byte at an index, 0 to 255. */
  public int at(int index) {
    return content[index] & 0xFF;
  }

  /** A copy of the bytes. */
  public byte[] toArray() {
    return content.clone();
  }

  /** The 16-bit little-endian value at an index: how PCI and virtio write their registers. */
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

  @Override
  public String toString() {
    return content.length <= 64
        ? HexFormat.of().formatHex(content)
        : HexFormat.of().formatHex(content, 0, 64) + "... (" + content.length + " bytes)";
  }
}
