package io.github.jvhost.vhost.kernel;

import io.github.jvhost.vhost.plan.BackEndRefusedException;

/**
 * A device has answered a command on its control queue with an error. It goes on, and holds what it
 * held before.
 */
final class CommandRefusedException extends BackEndRefusedException {
  private static final long serialVersionUID = 1L;

  CommandRefusedException(String message) {
    super(message);
  }
}
