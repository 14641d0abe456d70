package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.Carrier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a {@link BackEndWatch} does with a {@link VhostNet}: serves its back end while no plan runs,
 * and connects again when the back end has gone. It holds the device's lock when it sends or
 * changes something.
 */
final class VhostNetWatch {
  private static final Logger log = LoggerFactory.getLogger(VhostNetWatch.class);

  private final VhostNet net;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;
  private final EventfdTable eventfds;

  VhostNetWatch(
      VhostNet net,
      VhostDevice device,
      NetTransitions transitions,
      DeviceLock lock,
      EventfdTable eventfds) {
    this.net = net;
    this.device = device;
    this.transitions = transitions;
    this.lock = lock;
    this.eventfds = eventfds;
  }

  /** What a watch reads without the lock. */
  BackEndPresence presence() {
    return transitions.presence();
  }

  /** Refuses a device that is closed. */
  void requireOpen() {
    try (var _ = lock.hold()) {
      transitions.requireOpen();
    }
  }

  /** Reports attempts to connect again. */
  Observation observation() {
    return device.observation();
  }

  /**
   * Begins the watch. A device that has no connection at its beginning is lost.
   *
   * @param wake what to run when something happens; returns at once
   */
  void watchedBy(Runnable wake) {
    try (var _ = lock.hold()) {
      presence().watcher(wake);
      boolean planNotesLoss = lock.busy(); // it still uses the connection
      if (!planNotesLoss && !device.connected()) {
        transitions
            .connection()
            .lose(
                new VhostException(
                    device.name() + ": there was no connection to watch", Recovery.RECONNECT));
      }
    }
  }

  /** The watch has ended. Does not wait for the lock. */
  void unwatched() {
    presence().watcher(null);
  }

  /** Whether there is something to attend to that no descriptor shows. */
  boolean somethingWaits() {
    return transitions.planWanted() || presence().lookWanted();
  }

  /**
   * Serves what the back end asks, and checks whether it is still there. A plan that is under way
   * does both by itself; then the watcher is woken when the plan ends.
   */
  void attend() {
    if (!presence().tryLeaveToPlan()) {
      attendNow();
    }
  }

  private void attendNow() {
    try (var _ = lock.hold()) {
      Carrier connection = device.connection();
      if (lock.busy() || connection == null) {
        return;
      }
      for (int i = 0; i < eventfds.size(); i++) {
        readErrors(i, eventfds.get(i));
      }
      noteHangUp(connection);
      presence().looked();
      if (transitions.planWanted()) {
        net.tellWhatWaits();
      }
    }
  }

  private void noteHangUp(Carrier connection) {
    VhostException over = connection.look(net.transitionDeadline());
    if (over != null) {
      transitions.connection().lose(over);
    }
  }

  /** Notes a hang-up that has come already, before more is sent. With the lock held. */
  void noteHangUp() {
    Carrier connection = device.connection();
    if (connection != null) {
      noteHangUp(connection);
    }
  }

  /** Reads the err eventfd of a ring and reports an error that the back end has signalled. */
  private void readErrors(int ring, RingEventfds eventfds) {
    EventFd err = eventfds.err();
    if (err != null && err.drain() > 0) {
      device.options().events().ringFailed(ring);
    }
  }

  /** A ring has other eventfds now; the old err is read once more. With the lock held. */
  void eventfdsChanged(int ring, RingEventfds before) {
    presence().eventfdsChanged();
    if (presence().isWatched()) {
      readErrors(ring, before);
    }
  }

  /** No more attempts are made. */
  void givenUp() {
    try (var _ = lock.hold()) {
      if (!device.connected() && !transitions.closed()) {
        presence().staysLost();
      }
    }
  }

  /** Makes another connection for {@link #recover}. This may take long, so it holds no lock. */
  Carrier openConnection() {
    return device.open();
  }

  /**
   * Goes on with a new connection after a loss: a device that ran, or that its driver has made live
   * since, is started there.
   *
   * @return whether it runs now
   * @throws VhostException if the back end lacks what the device needs, or did not take it
   *     (RECONNECT); if it is not known where the rings were, or the device was closed meanwhile
   *     (GIVE_UP). The link stays down
   */
  boolean recover(Carrier opened) {
    try (var _ = lock.hold()) {
      boolean ours = false;
      try {
        lock.awaitPlanEnd();
        if (transitions.closed()) { // not a wrong call: this thread is the watch's
          throw new VhostException(device.name() + ": closed", Recovery.GIVE_UP);
        }
        if (device.connected()) {
          return transitions.running(); // another thread has connected it
        }
        ours = true;
      } finally {
        if (!ours) {
          opened.close();
        }
      }
      presence().attempt(true);
      try {
        transitions.connection().goOnWith(opened);
        if (!transitions.waitsForBackEnd()) {
          presence().restoreLink();
          return false;
        }
        transitions.startAnew().orThrow();
      } finally {
        presence().attempt(false);
      }
      announce();
      return true;
    }
  }

  /** Signals rings and announces the guest. A failure is logged, because the device runs anyway. */
  private void announce() {
    try {
      net.signalRings();
      net.announce();
    } catch (RuntimeException e) {
      log.warn("{}: it runs again, which could not be announced", device.name(), e);
    }
  }
}
