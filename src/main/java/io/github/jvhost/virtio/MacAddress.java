package io.github.jvhost.virtio;

import java.util.HexFormat;

/**
 * An Ethernet address.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param value the six bytes as a number; the first byte on the wire is the highest:
 *     02:00:00:00:00:01 is 0x020000000001
 */
public record MacAddress(long value) {
  /** All zeros: no address. */
  public static final MacAddress ZERO = new MacAddress(0);

  /** Bytes of one address. */
  public static final int SIZE = 6;

  private static final HexFormat WITH_COLONS = HexFormat.ofDelimiter(":");

  /** Checks the range. */
  public MacAddress {
    if (value >>> 48 != 0) {
      throw new IllegalArgumentException("a MAC address has 48 bits: 0x" + Long.toHexString(value));
    }
  }

  /**
   * Reads six bytes of an array.
   *
   * @param bytes holds the address in wire order
   * @param offset index of its first byte; five more bytes must follow
   * @return the address
   */
  public static MacAddress of(byte[] bytes, int offset) {
    long value = 0;
    for (int i = 0; i < SIZE; i++) {
      value = value << 8 | (bytes[offset + i] & 0xFF);
    }
    return new MacAddress(value);
  }

  /**
   * Reads the usual notation.
   *
   * @param text six pairs of hexadecimal digits with colons between them, {@code 02:00:00:00:00:01}
   * @return the address
   * @throws IllegalArgumentException when it is anything else
   */
  public static MacAddress parse(String text) {
    if (text.length() != 17) {
      throw new IllegalArgumentException("not a MAC address: " + text);
    }
    try {
      return of(WITH_COLONS.parseHex(text), 0);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("not a MAC address: " + text, e);
    }
  }

  /** {@return the six bytes in wire order, in a new array} */
  public byte[] bytes() {
    byte[] bytes = new byte[SIZE];
    for (int i = 0; i < SIZE; i++) {
      bytes[i] = (byte) (value >>> (8 * (SIZE - 1 - i)));
    }
    return bytes;
  }

  /** {@return whether it addresses a group (the lowest bit of the first byte)} */
  public boolean multicast() {
    return (value >>> 40 & 1) != 0;
  }

  @Override
  public String toString() {
    return WITH_COLONS.formatHex(bytes());
  }
}
