package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.Carrier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a {@link BackEndWatch} does with a {@link VhostNet}: looks after a device that is left to
 * itself, and brings it back when its back end has gone. Holds the device's lock where it says or
 * changes something.
 */
final class VhostNetWatch {
  private static final Logger log = LoggerFactory.getLogger(VhostNetWatch.class);

  private final VhostNet net;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;
  private final NotifierTable notifiers;

  VhostNetWatch(
      VhostNet net,
      VhostDevice device,
      NetTransitions transitions,
      DeviceLock lock,
      NotifierTable notifiers) {
    this.net = net;
    this.device = device;
    this.transitions = transitions;
    this.lock = lock;
    this.notifiers = notifiers;
  }

  /** What a watch needs to know; without the lock. */
  BackEndPresence presence() {
    return transitions.presence();
  }

  /** Refuses a device that is closed. */
  void requireOpen() {
    try (var _ = lock.hold()) {
      transitions.requireOpen();
    }
  }

  /** Who hears of attempts to bring the device back. */
  Observation observation() {
    return device.observation();
  }

  /**
   * Somebody watches from now on, or nobody. A device that has no connection even now is lost.
   *
   * @param told what to run when something happens; returns at once; null: nobody watches
   */
  void watchedBy(@Nullable Runnable told) {
    try (var _ = lock.hold()) {
      presence().watcher(told);
      if (told != null && !device.connected()) {
        transitions
            .connection()
            .lose(
                new VhostException(
                    device.name() + ": there was no connection to watch", Recovery.RECONNECT));
      }
    }
  }

  /**
   * Serves what the back end asks, and looks whether it is still there. While a plan is under way,
   * which does both by itself, the watcher is told once that has ended.
   */
  void attend() {
    if (!presence().leaveToPlan()) {
      attendNow();
    }
  }

  private void attendNow() {
    try (var _ = lock.hold()) {
      Carrier connection = device.connection();
      if (lock.busy() || connection == null) {
        return;
      }
      for (int i = 0; i < notifiers.size(); i++) {
        hearErrors(i, notifiers.get(i));
      }
      noteHangUp(connection);
    }
  }

  private void noteHangUp(Carrier connection) {
    VhostException over = connection.look(net.transitionDeadline());
    if (over != null) {
      transitions.connection().lose(over);
    }
  }

  /** A back end that has hung up by now is gone, whatever it is told next. With the lock held. */
  void noteHangUp() {
    Carrier connection = device.connection();
    if (connection != null) {
      noteHangUp(connection);
    }
  }

  /** What the back end has said on the err eventfd of a ring. */
  private void hearErrors(int ring, RingNotifiers notifiers) {
    EventFd err = notifiers.err();
    if (err != null && err.drain() > 0) {
      device.options().events().ringFailed(ring);
    }
  }

  /** A ring has other eventfds now; what was said on those before is heard. With the lock held. */
  void notifiersChanged(int ring, RingNotifiers before) {
    presence().notifiersChanged(device.connection());
    if (presence().isWatched()) {
      hearErrors(ring, before);
    }
  }

  /** No more attempts are made. */
  void givenUp() {
    try (var _ = lock.hold()) {
      if (!device.connected()) {
        presence().staysLost();
      }
    }
  }

  /** Another connection to the back end, for {@link #recover}. Takes its time, without the lock. */
  Carrier openConnection() {
    return device.open();
  }

  /**
   * Goes on with a new connection after a loss: a device that ran, or that its driver has made live
   * since, is started there.
   *
   * @return whether it runs now
   * @throws VhostException the back end can too little, or did not take it (RECONNECT); where the
   *     rings were is not known, or the device was closed meanwhile (GIVE_UP). The link stays down
   */
  boolean recover(Carrier opened) {
    try (var _ = lock.hold()) {
      boolean ours = false;
      try {
        lock.await();
        if (transitions.closed()) { // on a thread of ours: nobody made a wrong call
          throw new VhostException(device.name() + ": closed", Recovery.GIVE_UP);
        }
        if (device.connected()) {
          return transitions.running(); // somebody else was faster
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

  /** The device runs, whatever becomes of this. */
  private void announce() {
    try {
      net.signalRings();
      net.announce();
    } catch (Throwable e) { // an Error of a listener's, too
      log.warn("{}: it runs again, which could not be announced", device.name(), e);
    }
  }
}
