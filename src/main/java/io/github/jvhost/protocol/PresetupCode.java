package io.github.jvhost.protocol;

/**
 * The two numbers of PRESETUP in one dialect, and the two values of its payload.
 *
 * @param bit of the protocol features, 0 to 63
 * @param id of the request, 1 or above
 */
public record PresetupCode(int bit, int id) {
  /** The payload of the message that begins a presetup. */
  public static final long START = 1;

  /** The payload of the message that ends a presetup: the back end now configures its hardware. */
  public static final long END = 2;

  /** Checks the ranges. */
  public PresetupCode {
    if (bit < 0 || bit >= Long.SIZE) {
      throw new IllegalArgumentException("PRESETUP's protocol feature bit: 0 to 63, not " + bit);
    }
    if (id < 1) {
      throw new IllegalArgumentException("PRESETUP's request id: 1 or more, not " + id);
    }
  }

  /** {@return the bit as a mask} */
  long mask() {
    return 1L << bit;
  }
}
