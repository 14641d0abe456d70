package io.github.jvhost;

/**
 * The peer did not read or answer in time. What it has done is unknown: {@link Recovery#RECONNECT}.
 */
public class DeadlineException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * A deadline that has passed.
   *
   * @param message one line: what was awaited, and how long
   */
  public DeadlineException(String message) {
    super(message, Recovery.RECONNECT);
  }
}
