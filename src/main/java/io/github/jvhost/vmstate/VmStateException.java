package io.github.jvhost.vmstate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * A saved device cannot be read. The message says what was expected, and where. Trying again does
 * not help: GIVE_UP.
 */
public class VmStateException extends VhostException {
  private static final long serialVersionUID = 1L;

  /** Name of the outermost description. */
  private final String section;

  /** Names of the fields that lead to the place, with slashes between them; may be empty. */
  private final String path;

  /** The position, in bytes from the start of the input. */
  private final long offset;

  /** What should have been there. */
  private final String expected;

  /**
   * Makes the exception.
   *
   * @param section name of the outermost description
   * @param path names of the fields that lead to the place, with slashes between them; may be empty
   * @param offset the position, in bytes from the start of the input
   * @param expected what should have been there
   */
  VmStateException(String section, String path, long offset, String expected) {
    this(section, path, offset, expected, null);
  }

  /**
   * Makes the exception, with a cause.
   *
   * @param section as above
   * @param path as above
   * @param offset as above
   * @param expected as above
   * @param cause the exception of the source of the bytes
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

  /** {@return the position, in bytes from the start of the input} */
  public long offset() {
    return offset;
  }

  /** {@return what should have been there} */
  public String expected() {
    return expected;
  }
}
