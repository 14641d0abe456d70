package io.github.jvhost.memory;

/**
 * How a device reaches memory: which access it wants, or which accesses a translation permits. The
 * bits are those of an IOTLB message's permission (vhost-user, "An IOTLB message").
 */
public enum Access {
  /** The device reads. */
  READ(1),
  /** The device writes. */
  WRITE(2),
  /** The device reads and writes. */
  READ_WRITE(3);

  private final int bits;

  Access(int bits) {
    this.bits = bits;
  }

  /** {@return its bits: 1 to read, 2 to write} */
  public int bits() {
    return bits;
  }

  /**
   * {@return the access with these bits}
   *
   * @param bits 1, 2 or 3
   * @throws IllegalArgumentException if they are something else
   */
  public static Access of(int bits) {
    return switch (bits) {
      case 1 -> READ;
      case 2 -> WRITE;
      case 3 -> READ_WRITE;
      default -> throw new IllegalArgumentException("access bits " + bits);
    };
  }

  /**
   * {@return whether whoever has this access may do all of the other}
   *
   * @param wanted the other
   */
  public boolean permits(Access wanted) {
    return (bits & wanted.bits) == wanted.bits;
  }
}
