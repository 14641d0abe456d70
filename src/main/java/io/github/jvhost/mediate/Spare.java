package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Outcome;
import org.jspecify.annotations.Nullable;

/**
 * Another switch, which is told early what the device that runs elsewhere has: the target of a
 * move, or a standby. One thread at a time.
 */
final class Spare implements AutoCloseable {
  private final SwitchSearch search;
  private @Nullable SwitchConnection connection;

  /** Which change of the device it was told last; -1: none. */
  private long told = -1;

  private long telling = -1;

  Spare(SwitchSearch search) {
    this.search = search;
  }

  SwitchSearch search() {
    return search;
  }

  @Nullable SwitchConnection connection() {
    return connection;
  }

  void connected(SwitchConnection now) {
    connection = now;
    told = -1;
  }

  /** {@return whether it has been told everything up to this change} */
  boolean isPreset(long change) {
    return connection != null && !connection.isBusy() && told == change;
  }

  /** It is being told everything up to this change. */
  void tells(long change) {
    telling = change;
  }

  /**
   * Goes on with what it is being told, or looks whether it is still there.
   *
   * @return why it is lost; null if it is not
   */
  @Nullable VhostException advance(Deadline deadline) {
    SwitchConnection at = connection;
    if (at == null) {
      return null;
    }
    if (!at.isBusy()) {
      return at.look(deadline);
    }
    Outcome outcome = at.advance();
    if (outcome == null) {
      return null;
    }
    told = telling;
    return outcome.failure();
  }

  /** It is lost: the next attempt to reach it is made after a pause. */
  void lost() {
    if (connection != null) {
      connection.close();
      connection = null;
    }
    told = -1;
  }

  /** {@return the connection, which is the caller's from now on} */
  @Nullable SwitchConnection take() {
    SwitchConnection taken = connection;
    connection = null;
    return taken;
  }

  @Override
  public void close() {
    search.restart();
    lost();
  }
}
