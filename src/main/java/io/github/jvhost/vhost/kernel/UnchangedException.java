package io.github.jvhost.vhost.kernel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;

/** A device has refused a step. It goes on, and holds what it held before. */
public final class UnchangedException extends VhostException {
  private static final long serialVersionUID = 1L;

  /**
   * A refusal.
   *
   * @param message what was sent, and what came back
   * @param recovery what the caller can do if the device is not started without it
   */
  public UnchangedException(String message, Recovery recovery) {
    super(message, recovery);
  }
}
