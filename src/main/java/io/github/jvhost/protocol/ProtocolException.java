package io.github.jvhost.protocol;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * The peer sent something that the protocol does not allow. The rest of the byte stream cannot be
 * trusted, so the recovery is always a new connection ({@link Recovery#RECONNECT}).
 */
public class ProtocolException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * A violation.
   *
   * @param message one line: what was being read and what was wrong with it
   */
  public ProtocolException(String message) {
    super(message, Recovery.RECONNECT);
  }
}
