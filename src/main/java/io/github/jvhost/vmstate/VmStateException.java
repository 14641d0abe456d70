package io.github.jvhost.vmstate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * A saved device cannot be read: it says what was expected where. Trying again does not help:
 * GIVE_UP.
 */
public class VmStateException extends VhostException {
  private static final long serialVersionUID = 1L;

  /** Name of the outermost description. */
  private final String section;

  /** Names of the fields that lead to the place, with slashes between them; may be empty. */
  private final String path;

  /** Where, in bytes from the start of what was read. */
  private final long offset;

  /** What should have been there. */
  private final String expected;

  /**
   * What was expected, and where.
   *
   * @param section name of the outermost description
   * @param path names of the fields that lead to the place, with slashes between them; may be empty
   * @param offset in bytes, from the start of what is read
   * @param expected what should have been there
   */
  VmStateException(String section, String path, long offset, String expected) {
    this(section, path, offset, expected, null);
  }

  /**
   * The same, because something else failed.
   *
   * @param section as above
   * @param path as above
   * @param offset as above
   * @param expected as above
   * @param cause what was thrown where the bytes come from
   */
  VmStateException(
      String section, String path, long offset, String expected, @Nullable Throwable cause) {
    super(
        "reading section "
            + section
            + (path.isEmpty() ? "" : ", field " + path)
            + ", at byte "
            + offset
            + ": expected "
            + expected,
        Recovery.GIVE_UP,
        cause);
    this.section = section;
    this.path = path;
    this.offset = offset;
    this.expected = expected;
  }

  /** {@return the name of the outermost description} */
  public String section() {
    return section;
  }

  /**
   * {@return the names of the fields that lead to the place, with slashes between them; may be
   * empty}
   */
  public String path() {
    return path;
  }

  /** {@return where that was, in bytes from the start of what was read} */
  public long offset() {
    return offset;
  }

  /** {@return what should have been there} */
  public String expected() {
    return expected;
  }
}
