package io.github.jvhost;

import org.jspecify.annotations.Nullable;

/** The back end closed its end of the connection, or died. {@link Recovery#RECONNECT}. */
public class BackEndGoneException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * An end of a connection.
   *
   * @param message one line: what was being done when it ended
   * @param cause the error of the system; null if there was none
   */
  public BackEndGoneException(String message, @Nullable Throwable cause) {
    super(message, Recovery.RECONNECT, cause);
  }
}
