package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.InflightRegion;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What switches are told of the device while the front end believes that it runs: its start, its
 * changes, its stop, and where it goes on when another switch serves. It owns what is known of the
 * rings' positions. One thread at a time.
 */
final class DeviceRun {
  private static final Logger log = LoggerFactory.getLogger(DeviceRun.class);

  private final NicShared nic;
  private final ServingSwitch serving;
  private final FrontEndDevice device;
  private final RingPositions positions;

  /** A switch that is connected and not used, because nobody knows where packed rings go on. */
  private @Nullable SwitchConnection unused;

  DeviceRun(NicShared nic, ServingSwitch serving) {
    this.nic = nic;
    this.serving = serving;
    this.device = nic.device();
    this.positions = new RingPositions(device);
  }

  /** The device is to run: the switch is told the difference to what it holds. */
  void start() {
    serving.to(NicState.Event.STARTED);
    positions.areThoseOfTheFrontEnd();
    SwitchConnection at = serving.connection();
    if (at == null) {
      serving.to(NicState.Event.SWITCH_WENT);
      return;
    }
    var _ =
        starts(
            "start",
            at,
            () -> {
              nic.requireEnough(at.device());
              return at.tell(running(at), false, nic.presetup()); // it may map guest memory
            });
  }

  private boolean starts(
      String what, SwitchConnection at, Supplier<SwitchConnection.Told> telling) {
    try {
      SwitchConnection.Told told = telling.get();
      nic.history().started(what, at.options().address(), told);
      device.keepInflight(told.outcome().inflight());
      VhostException failure = told.outcome().failure();
      if (failure == null) {
        serving.worked();
        return true;
      }
      serving.lost(failure);
    } catch (VhostException e) {
      serving.lost(e);
    }
    return false;
  }

  private DeviceConfig running(SwitchConnection at) {
    return device.desired(Lifecycle.RUNNING, at.capabilities());
  }

  /**
   * The front end has changed the device: the switch is told.
   *
   * @param waits whether the front end waits for the switch's answer
   * @return whether the switch has taken it
   */
  boolean change(boolean waits) {
    SwitchConnection to = serving.connection();
    if (to == null || serving.state() == NicState.NO_SWITCH) {
      return true; // it is told everything when there is one
    }
    try {
      SwitchConnection.Told told = to.tell(running(to), waits, nic.answer());
      nic.history().told(told);
      device.keepInflight(told.outcome().inflight());
      VhostException failure = told.outcome().failure();
      if (failure != null && !to.device().connected()) {
        serving.lost(failure);
        return true; // likewise
      }
      return !nic.history().failed(failure);
    } catch (VhostException e) {
      log.warn("{}: the switch cannot take a change: {}", nic.name(), e.getMessage());
      nic.history().failed(e);
      return false;
    }
  }

  /** The device is to stop: the rings' bases are those of the switch then. */
  void stop() {
    stopRings();
    serving.to(NicState.Event.STOPPED);
  }

  /** Stops the rings. A switch that does not answer is given up, and guest memory is asked. */
  private void stopRings() {
    SwitchConnection at = serving.connection();
    boolean all = false;
    if (at != null) {
      try {
        SwitchConnection.Told told =
            at.tell(device.desired(Lifecycle.STOPPED, at.capabilities()), false, nic.answer());
        nic.history().told(told);
        all = positions.take(told);
        if (told.outcome().failure() != null) {
          serving.drop(told.outcome().failure());
        }
      } catch (VhostException e) {
        serving.drop(e);
      }
    }
    if (!all) {
      positions.recover();
    }
  }

  /**
   * {@return where a ring goes on that was stopped}
   *
   * @throws VhostException if that is not known
   */
  int baseOf(int ring) {
    if (!positions.areKnown()) {
      throw new VhostException(
          nic.name() + ": where its packed rings go on is not known, because the switch has gone",
          Recovery.GIVE_UP);
    }
    Integer base = device.ring(ring).base();
    return base == null ? 0 : base;
  }

  /** The front end has gone, and its rings with it. */
  void frontEndWent() {
    positions.areThoseOfTheFrontEnd();
  }

  /**
   * If a switch is there that does not serve the device yet: it is told everything that it does not
   * hold, and both sides are woken.
   *
   * @param deadline for all of it
   */
  void replay(Deadline deadline) {
    SwitchConnection at = serving.connection();
    if (at == null || at == unused || serving.state() != NicState.NO_SWITCH) {
      return;
    }
    if (positions.recover()) {
      run(at, deadline);
      return;
    }
    unused = at;
    VhostException why =
        new VhostException(
            nic.name()
                + ": its packed rings are not served, because the switch that had them has gone and"
                + " no in-flight region says where they go on; the guest has to reset its NIC",
            Recovery.GIVE_UP);
    log.warn("{}", why.getMessage());
    nic.history().failed(why);
  }

  private void run(SwitchConnection at, Deadline deadline) {
    if (starts("replay", at, () -> at.tellAndCheck(running(at), deadline))) {
      if (serving.state() == NicState.NO_SWITCH) {
        serving.to(NicState.Event.SWITCH_CAME);
      }
      device.signalAll();
    }
  }

  /**
   * Stops the device at the switch that serves, and starts it at another one, which serves from now
   * on if that works. A device that does not run is only left to it.
   *
   * @param target connected, with nothing under way; the caller's unless it serves
   * @param made the region for requests in flight that it has made, taken over; null: none
   * @return null if the target serves. Otherwise why it does not: then {@link #goOn} has to follow,
   *     after the target was closed, because two must not serve the same rings
   */
  @Nullable String moveTo(SwitchConnection target, @Nullable InflightRegion made) {
    if (serving.state().isStarted()) {
      nic.around().saveAsHalfTold();
      stopRings();
      if (serving.isSilent()) {
        if (made != null) {
          made.file().close();
        }
        return serving.whySilent();
      }
      device.keepInflight(made);
      String failure = startAt(target);
      if (failure != null) {
        return failure;
      }
      device.signalAll();
    } else {
      device.keepInflight(made);
      device.inflight(null); // nothing is in flight; this switch makes its own region
    }
    serving.serves(target);
    serving.staysAt(target.options().address());
    if (serving.state() != NicState.RUNNING) {
      serving.to(NicState.Event.SWITCH_WENT);
      serving.to(NicState.Event.SWITCH_CAME);
    }
    return null;
  }

  private @Nullable String startAt(SwitchConnection target) {
    if (!positions.areKnown()) {
      return "where its packed rings go on is not known";
    }
    try {
      SwitchConnection.Told told = target.tellAndCheck(running(target), nic.answer());
      device.keepInflight(told.outcome().inflight());
      VhostException failure = told.outcome().failure();
      if (failure == null) {
        nic.history().started("move", target.options().address(), told);
        return null;
      }
      return "the other switch did not start it: " + failure.getMessage();
    } catch (VhostException e) {
      return "the other switch did not start it: " + e.getMessage();
    }
  }

  /** A move has failed after the rings were stopped. The new switch may have used some buffers. */
  void goOn() {
    SwitchConnection at = serving.connection();
    if (at == null) {
      serving.to(NicState.Event.SWITCH_WENT);
      return;
    }
    boolean asAnswered = device.isPacked() && positions.nothingWasUsed();
    if (positions.areKnown() && (asAnswered || positions.recover())) {
      run(at, nic.answer()); // it holds all but the rings
    } else {
      serving.lost(
          new VhostException(
              nic.name() + ": where its packed rings go on is not known after a failed move",
              Recovery.RECONNECT));
    }
  }
}
