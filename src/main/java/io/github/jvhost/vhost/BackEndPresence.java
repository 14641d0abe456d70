package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Whether a device has a back end, for its guest and its {@link BackEndWatch}. The guest sees its
 * link down while there is none. The watch gets the loss and what to poll.
 *
 * <p>The lock of the {@link VhostNet} guards the link. The methods for the watch never wait for
 * that lock, which a plan may hold for long.
 */
final class BackEndPresence {
  private final VirtioNet model;
  private final EventfdTable eventfds;

  /** Whether the guest sees its link down only because the back end is gone. */
  private boolean linkLost;

  /** Whether the watcher is making an attempt, whose failure is not another loss. */
  private boolean attempted;

  /** Wakes the watcher; null: the device is not watched. */
  private volatile @Nullable Runnable watcher;

  private volatile WatchPoints points = WatchPoints.NONE;

  /** Whether a plan is under way. A plan serves the back end and notices its loss by itself. */
  private volatile boolean planUnderWay;

  /** The connection; null: there is none. */
  private @Nullable Carrier connection;

  /** Whether the watcher has to look at the connection although no descriptor may show why. */
  private volatile boolean lookWanted;

  /** Whether the watcher has left an event to the running plan. */
  private volatile boolean wakeWhenPlanEnds;

  /** Why the connection was lost, until the watcher has read it. */
  private final AtomicReference<@Nullable VhostException> loss = new AtomicReference<>();

  BackEndPresence(VirtioNet model, EventfdTable eventfds) {
    this.model = model;
    this.eventfds = eventfds;
  }

  // ---- under the device's lock ----

  /** There is a connection. A link that was lost stays down until the device is started on it. */
  void connected(@Nullable Carrier opened) {
    loss.set(null);
    connection = opened;
    findPoints();
    wakeWatcher();
  }

  /** A ring has other eventfds: the watcher polls these from now on. */
  void eventfdsChanged() {
    findPoints();
    wakeWatcher();
  }

  /** The watcher has looked at the connection, whose own channel may have ended. */
  void looked() {
    lookWanted = false;
    findPoints();
  }

  private void findPoints() {
    Carrier opened = connection;
    points = opened == null ? WatchPoints.NONE : WatchPoints.of(opened, eventfds);
  }

  /** There is no connection any more. */
  void disconnected() {
    connection = null;
    lookWanted = false;
    points = WatchPoints.NONE;
  }

  /** The connection was lost: takes the guest's link down and wakes the watcher. */
  void lost(VhostException why) {
    loseLink();
    if (!isWatched()) {
      staysLost();
    }
    if (!attempted) {
      loss.set(why);
      wakeWatcher();
    }
  }

  /**
   * The watcher begins or ends an attempt.
   *
   * @param now whether it begins; the watcher itself sees the failure of its attempt
   */
  void attempt(boolean now) {
    attempted = now;
  }

  /**
   * The connection will not be made again by itself, so a driver that sees no link is asked for a
   * reset. While a watch makes attempts, a reset would only cost such a driver its connections.
   */
  void staysLost() {
    if (linkLost) {
      boolean _ = model.askForReset();
    }
  }

  /** The guest sees its link down until the next {@link #restoreLink}. */
  void loseLink() {
    if (model.linkUp()) {
      linkLost = true;
      model.linkUp(false);
    }
  }

  /** Brings a lost link up again. A link that the embedder took down stays down. */
  void restoreLink() {
    if (linkLost) {
      linkLost = false;
      model.linkUp(true);
    }
  }

  /**
   * A saved state has replaced the model's, its link included.
   *
   * @param served whether there is a back end; without one the guest sees its link down
   */
  void stateWasRestored(boolean served) {
    linkLost = false;
    if (!served) {
      loseLink();
    }
  }

  /** The embedder sets the link. Without a back end it stays down until there is one. */
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

  /**
   * The state for a migration: a link that is down only for want of a back end here is up in it.
   */
  VirtioNetState asIfPresent(VirtioNetState state) {
    NetState net = state.net();
    return linkLost ? state.withNet(net.withStatus(net.status() | NetState.LINK_UP)) : state;
  }

  /** A plan begins. */
  void planBegins() {
    planUnderWay = true;
  }

  /**
   * The plan has ended. The watcher is woken if it left an event to the plan.
   *
   * @param leftSomething whether the plan has left something to the watcher
   */
  void planEnds(boolean leftSomething) {
    planUnderWay = false;
    if (notesLook() || wakeWhenPlanEnds || leftSomething) {
      wakeWhenPlanEnds = false;
      wakeWatcher();
    }
  }

  /**
   * Somebody who has waited for the back end, and served it meanwhile, waits no more.
   *
   * @param leftSomething as in {@link #planEnds}
   */
  void waitEnds(boolean leftSomething) {
    if (notesLook() || leftSomething) {
      wakeWatcher();
    }
  }

  private boolean notesLook() {
    Carrier opened = connection;
    lookWanted = opened != null && opened.wantsLook();
    return lookWanted;
  }

  // ---- for the watcher, without the lock ----

  /**
   * Sets what to run, on any thread, when the connection was lost or a plan has ended.
   *
   * @param wake returns at once; null: the device is not watched
   */
  void watcher(@Nullable Runnable wake) {
    watcher = wake;
  }

  boolean isWatched() {
    return watcher != null;
  }

  private void wakeWatcher() {
    Runnable wake = watcher;
    if (wake != null) {
      wake.run();
    }
  }

  /** Whether the watcher has to look at the connection although no descriptor may show why. */
  boolean lookWanted() {
    return lookWanted;
  }

  /** What to poll; nothing while an event is left to a plan. */
  WatchPoints watchPoints() {
    return wakeWhenPlanEnds ? WatchPoints.NONE : points;
  }

  /**
   * Leaves an event of the connection to the plan that is under way, if there is one. That plan
   * reads the connection itself, and the watcher is woken when it ends.
   *
   * <pre>
   *   the watcher's thread            the plan's thread (planEnds)
   *   1 wakeWhenPlanEnds = true       a planUnderWay = false
   *   2 read planUnderWay             b read wakeWhenPlanEnds: wake
   * </pre>
   *
   * <p>If 2 comes before a, so does 1, and b wakes the watcher. If a comes before 2, there is no
   * plan any more and the watcher handles the event itself. Then b may wake it once without need,
   * which does no harm.
   *
   * @return whether the event was left to a plan; if not, the watcher handles it now
   */
  boolean tryLeaveToPlan() {
    wakeWhenPlanEnds = true;
    if (planUnderWay) {
      return true;
    }
    wakeWhenPlanEnds = false;
    return false;
  }

  /** Why the connection was lost since the last call; null if it was not. */
  @Nullable VhostException takeLoss() {
    return loss.getAndSet(null);
  }
}
