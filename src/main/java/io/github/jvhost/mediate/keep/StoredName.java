package io.github.jvhost.mediate.keep;

/** The rules for the name of a stored descriptor: those of FDNAME in sd_notify(3). */
final class StoredName {
  /** The most characters, of one byte each. */
  static final int LONGEST = 255;

  private StoredName() {}

  /**
   * Refuses a name that breaks the rules.
   *
   * @throws IllegalArgumentException if it does
   */
  static void require(String name) {
    if (!isValid(name)) {
      throw new IllegalArgumentException(
          "a stored descriptor's name has 1 to 255 printable ASCII characters and no colon");
    }
  }

  static boolean isValid(String name) {
    return !name.isEmpty() && isPrintable(name) && name.indexOf(':') < 0;
  }

  /** Whether it has at most 255 characters, all of ASCII and none of control. */
  static boolean isPrintable(String text) {
    return text.length() <= LONGEST && text.chars().allMatch(c -> c >= ' ' && c <= '~');
  }
}
