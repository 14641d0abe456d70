package io.github.jvhost.protocol;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * The peer said something that the protocol does not allow. A byte stream cannot be trusted after
 * that, so the way on is always a new connection ({@link Recovery#RECONNECT}).
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
