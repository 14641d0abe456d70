package io.github.jvhost.mediate;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import org.jspecify.annotations.Nullable;

/**
 * Another switch, which is told early what the device that runs elsewhere has: the target of a
 * move, or a standby. One thread at a time.
 */
final class Spare implements AutoCloseable {
  private final SwitchSearch search;
  private @Nullable SwitchConnection connection;

  /** The region for requests in flight that this switch has made; owned. */
  private @Nullable InflightRegion inflight;

  private @Nullable VhostException failure;

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
    search.found();
    connection = now;
    told = -1;
  }

  /**
   * An attempt to reach it has failed: the next one is made after a pause.
   *
   * @param why it has failed; null if that was said before
   */
  void notFound(@Nullable VhostException why) {
    search.pause();
    failure = why == null ? failure : why;
  }

  /** {@return how long until something is due, in nanoseconds} */
  long nanosLeft() {
    return connection == null ? search.nanosLeft() : connection.nanosLeft();
  }

  /** {@return what went wrong last, or that nothing did, for the operator} */
  String whyNotReady() {
    if (failure != null) {
      return String.valueOf(failure.getMessage());
    }
    return connection == null
        ? "it did not answer"
        : "it was not told everything, because that takes too long, or the device changes too"
            + " often";
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
    return ended(at.advance());
  }

  /**
   * Waits for what it is being told.
   *
   * @param deadline for the rest of it
   * @return why it is lost; null if it is not
   */
  @Nullable VhostException finish(Deadline deadline) {
    SwitchConnection at = connection;
    return at == null ? null : ended(at.finish(deadline));
  }

  private @Nullable VhostException ended(@Nullable Outcome outcome) {
    if (outcome == null) {
      return null;
    }
    if (outcome.inflight() != null) {
      forgetInflight();
      inflight = outcome.inflight();
    }
    if (outcome.failure() == null) {
      told = telling;
      search.worked();
    }
    return outcome.failure();
  }

  /** It is lost: the next attempt to reach it is made after a pause. */
  void lost(VhostException why) {
    disconnect();
    notFound(why);
  }

  /**
   * Ends the connection: only that undoes what it was told. It may be connected to anew at once.
   */
  void disconnect() {
    if (connection != null) {
      connection.close();
      connection = null;
    }
    forgetInflight();
    told = -1;
  }

  private void forgetInflight() {
    if (inflight != null) {
      inflight.file().close();
      inflight = null;
    }
  }

  /** {@return the region that it has made, which is the caller's from now on; null: none} */
  @Nullable InflightRegion takeInflight() {
    InflightRegion taken = inflight;
    inflight = null;
    return taken;
  }

  /** The connection is the caller's from now on. */
  void leaveConnection() {
    connection = null;
  }

  @Override
  public void close() {
    search.restart();
    disconnect();
  }
}
