package io.github.jvhost.testkit.net;

/**
 * An IPv4 address.
 *
 * @param value the four bytes, the first one in the most significant bits
 */
public record Ipv4Address(int value) {
  /** 0.0.0.0: no station. */
  public static final Ipv4Address ANY = new Ipv4Address(0);

  /**
   * {@return the address a.b.c.d}
   *
   * @param a the first part, 0 to 255 like all of them
   * @param b the second part
   * @param c the third part
   * @param d the last part
   */
  public static Ipv4Address of(int a, int b, int c, int d) {
    if (((a | b | c | d) & ~0xff) != 0) {
      throw new IllegalArgumentException("not an IPv4 address: " + a + "." + b + "." + c + "." + d);
    }
    return new Ipv4Address(a << 24 | b << 16 | c << 8 | d);
  }

  @Override
  public String toString() {
    return (value >>> 24)
        + "."
        + (value >>> 16 & 0xff)
        + "."
        + (value >>> 8 & 0xff)
        + "."
        + (value & 0xff);
  }
}
