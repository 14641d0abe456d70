package io.github.jvhost.vhost.plan;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/**
 * The back end answered a step with a failure, or its status says that it is not ready. What it
 * holds from then on is not known, so the connection has to be made again.
 */
public class BackEndRefusedException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * A refusal.
   *
   * @param message what was sent, and what came back
   */
  public BackEndRefusedException(String message) {
    super(message, Recovery.RECONNECT);
  }
}
