package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import org.jspecify.annotations.Nullable;

/**
 * What ended a connection. The first caller gets the failure itself, every later caller gets an
 * exception with it as the cause.
 *
 * <pre>
 *   sound --(a failure after which the stream cannot be used)-&gt; poisoned --&gt; closed
 *     +-----------------------------------------------------------------------^
 * </pre>
 */
final class Health {
  private final String name;
  private @Nullable VhostException failure;
  private boolean thrown;
  private boolean closed;

  Health(String name) {
    this.name = name;
  }

  boolean poisoned() {
    return failure != null;
  }

  /**
   * Keeps the first failure.
   *
   * @return what to throw: always an exception with {@link Recovery#RECONNECT}
   */
  VhostException poison(VhostException e) {
    VhostException reconnect =
        e.recovery() == Recovery.RECONNECT
            ? e
            : new VhostException(name + ": " + e.getMessage(), Recovery.RECONNECT, e);
    if (failure == null) {
      failure = reconnect;
      thrown = true;
    }
    return reconnect;
  }

  /** Rethrows the failure on the next call, because it was caught and not thrown to a caller. */
  void rethrowOnNextCall() {
    thrown = false;
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
    if (failure != null && !thrown) {
      thrown = true;
      throw failure;
    }
    if (failure != null) {
      throw new VhostException(
          name + ": the connection cannot be used any more: " + failure.getMessage(),
          Recovery.RECONNECT,
          failure);
    }
  }
}
