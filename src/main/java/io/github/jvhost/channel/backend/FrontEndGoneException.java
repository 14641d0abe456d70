package io.github.jvhost.channel.backend;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/** The front end closed its end of the connection, or died. {@link Recovery#RECONNECT}. */
public class FrontEndGoneException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * An end of a connection.
   *
   * @param message one line: what was being done when it ended
   * @param cause the error of the socket; null if there was none
   */
  FrontEndGoneException(String message, @Nullable Throwable cause) {
    super(message, Recovery.RECONNECT, cause);
  }
}
