package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a device has a back end, as its guest and its {@link BackEndWatch} see it: the guest sees
 * a link that is down while it has none, the watch learns of a loss and what to poll.
 *
 * <p>The link is guarded by the lock of its {@link VhostNet}; what the watch asks never waits for
 * that lock, which a plan may hold for long.
 */
final class BackEndPresence {
  private static final Logger log = LoggerFactory.getLogger(BackEndPresence.class);

  private final VirtioNet model;
  private final NotifierTable notifiers;

  /** Whether the guest sees its link down only because the back end is gone. */
  private boolean linkLost;

  /** Whether the watcher itself makes an attempt right now, whose failure is no other loss. */
  private boolean attempted;

  /** Told when something happened; null: nobody watches. */
  private volatile @Nullable Runnable watcher;

  private volatile WatchPoints points = WatchPoints.NONE;

  /** Whether a plan is under way, which serves the back end and notices its loss by itself. */
  private volatile boolean planUnderWay;

  /** Whether the watcher has found something that it left to the plan. */
  private volatile boolean tellWhenPlanEnds;

  /** Why the connection was lost, until the watcher has taken note. */
  private final AtomicReference<@Nullable VhostException> loss = new AtomicReference<>();

  BackEndPresence(VirtioNet model, NotifierTable notifiers) {
    this.model = model;
    this.notifiers = notifiers;
  }

  // ---- under the device's lock ----

  /** There is a connection. A link that was lost stays down until the device is started on it. */
  void connected(@Nullable Carrier connection) {
    loss.set(null);
    points = connection == null ? WatchPoints.NONE : WatchPoints.of(connection, notifiers);
    tell();
  }

  /** A ring has other eventfds: the watcher polls them from now on, and not those before. */
  void notifiersChanged(@Nullable Carrier connection) {
    if (connection != null) {
      points = WatchPoints.of(connection, notifiers);
      tell();
    }
  }

  /** There is none any more. */
  void disconnected() {
    points = WatchPoints.NONE;
  }

  /** It was lost: the guest is to see that, and the watcher is told. */
  void lost(VhostException why) {
    loseLink();
    if (!isWatched()) {
      staysLost();
    }
    if (!attempted) {
      loss.set(why);
      tell();
    }
  }

  /**
   * The watcher makes an attempt from now on, or has made it.
   *
   * @param now whether what fails is the attempt, which the watcher hears of by itself
   */
  void attempt(boolean now) {
    attempted = now;
  }

  /**
   * Nobody is about to bring it back, so a driver that sees no link is asked for a reset. While
   * somebody is, that would only cost such a driver its connections.
   */
  void staysLost() {
    if (linkLost) {
      try {
        model.askForReset();
      } catch (Throwable e) { // an Error of a listener's does not hide the loss either
        log.warn("{}: a listener of its changes failed", model.name(), e);
      }
    }
  }

  /** The guest sees its link down until the next {@link #restoreLink}. */
  void loseLink() {
    if (model.linkUp()) {
      linkLost = true;
      link(false);
    }
  }

  /** A link that was lost comes back; one that the embedder pulled stays so. */
  void restoreLink() {
    if (linkLost) {
      linkLost = false;
      link(true);
    }
  }

  /** An embedder's listener that throws does not keep the watcher from hearing of a loss. */
  private void link(boolean up) {
    try {
      model.linkUp(up);
    } catch (Throwable e) { // an Error of theirs does not hide the loss either
      log.warn("{}: a listener of its changes failed", model.name(), e);
    }
  }

  /**
   * A saved state has replaced the model's, its link included.
   *
   * @param served whether there is a back end; without one the guest is to see its link down here
   */
  void stateWasRestored(boolean served) {
    linkLost = false;
    if (!served) {
      loseLink();
    }
  }

  /** The embedder pulls the link or puts it in; without a back end it can only seem to be down. */
  void embedderSets(boolean up, boolean connected) {
    boolean later = up && !connected;
    linkLost = later;
    if (!later) {
      model.linkUp(up);
    }
  }

  boolean linkLost() {
    return linkLost;
  }

  /** The state as it is to travel: that the back end is gone here is no matter elsewhere. */
  VirtioNetState asIfPresent(VirtioNetState state) {
    NetState net = state.net();
    return linkLost ? state.withNet(net.withStatus(net.status() | NetState.LINK_UP)) : state;
  }

  /** A plan begins. */
  void planBegins() {
    planUnderWay = true;
  }

  /** It has ended; the watcher is told if it left something to it. */
  void planEnds() {
    planUnderWay = false;
    if (tellWhenPlanEnds) {
      tellWhenPlanEnds = false;
      tell();
    }
  }

  // ---- for the watcher, without the lock ----

  /**
   * Who is told, from whichever thread, that the connection was lost or that a plan has ended.
   *
   * @param told returns at once; null: nobody
   */
  void watcher(@Nullable Runnable told) {
    watcher = told;
  }

  boolean isWatched() {
    return watcher != null;
  }

  private void tell() {
    Runnable told = watcher;
    if (told != null) {
      told.run();
    }
  }

  /** What to poll; nothing while a plan has what was found. */
  WatchPoints watchPoints() {
    return tellWhenPlanEnds ? WatchPoints.NONE : points;
  }

  /**
   * Whether what was found is a plan's to take up; then the watcher is told once that has ended.
   *
   * <pre>
   *   the watcher's thread            the plan's thread (planEnds)
   *   1 tellWhenPlanEnds = true       a planUnderWay = false
   *   2 look at planUnderWay          b look at tellWhenPlanEnds: tell
   * </pre>
   *
   * <p>If 2 comes before a, so does 1, and b tells. If a comes before 2, there is no plan any more
   * and the watcher attends to it itself; b may tell once in vain, which does no harm.
   */
  boolean leaveToPlan() {
    tellWhenPlanEnds = true;
    if (planUnderWay) {
      return true;
    }
    tellWhenPlanEnds = false;
    return false;
  }

  /** Why the connection was lost since this was asked last; null: it was not. */
  @Nullable VhostException takeLoss() {
    return loss.getAndSet(null);
  }
}
