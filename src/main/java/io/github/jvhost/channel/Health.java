package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * What ended a connection, told as it was to the first who asks and as a cause to all others.
 *
 * <pre>
 *   sound --(anything that a byte stream does not survive)--&gt; poisoned --&gt; closed
 *     +-----------------------------------------------------------------------^
 * </pre>
 */
final class Health {
  private final String name;
  private @Nullable VhostException failure;
  private boolean told;
  private boolean closed;

  Health(String name) {
    this.name = name;
  }

  boolean poisoned() {
    return failure != null;
  }

  /**
   * Remembers the first failure; what is thrown now is always one that needs a new connection.
   *
   * @return to be thrown
   */
  VhostException poison(VhostException e) {
    VhostException thrown =
        e.recovery() == Recovery.RECONNECT
            ? e
            : new VhostException(name + ": " + e.getMessage(), Recovery.RECONNECT, e);
    if (failure == null) {
      failure = thrown;
      told = true;
    }
    return thrown;
  }

  /** The failure was caught and nobody has heard of it: the next who asks shall. */
  void untold() {
    told = false;
  }

  void close() {
    closed = true;
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException(name + ": the channel is closed");
    }
  }

  void requireUsable() {
    requireOpen();
    if (failure != null && !told) {
      told = true;
      throw failure;
    }
    if (failure != null) {
      throw new VhostException(
          name + ": the connection is of no use any more: " + failure.getMessage(),
          Recovery.RECONNECT,
          failure);
    }
  }
}
