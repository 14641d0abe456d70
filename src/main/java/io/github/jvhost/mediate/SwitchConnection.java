package io.github.jvhost.mediate;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.PeerCredentials;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One connection to one switch, and what the switch holds of one device. A presetup goes on beside
 * the front end's messages: its thread calls {@link #advance} whenever the connection is ready.
 * What the front end waits for is told at once, by {@link #tell}.
 *
 * <p>One thread at a time.
 */
final class SwitchConnection implements AutoCloseable {
  private final VhostDevice device;

  /** A duplicate of the connection's socket, where the NIC is saved; it is the same open file. */
  private @Nullable OwnedDescriptor handle;

  /** Of the newest presetup on this connection. */
  private int generation;

  private @Nullable Execution underWay;
  private Deadline until = Deadline.after(Duration.ZERO);

  /** Takes the device over. */
  SwitchConnection(VhostDevice device) {
    this.device = device;
  }

  /**
   * {@return the connection that an earlier mediator has saved}
   *
   * @param socket as it was saved, taken over
   * @param can what was negotiated on it
   * @param held what the switch was told, and has not been told anything since
   */
  static SwitchConnection resume(
      VhostDeviceOptions options,
      OwnedDescriptor socket,
      BackEndCapabilities can,
      DeviceConfig held) {
    OwnedDescriptor handle = socket.duplicate();
    Plan plan = Planner.plan(Shadow.nothingHeld(), held, can);
    Shadow shadow = Shadow.nothingHeld().after(plan, Outcome.ofAll(plan));
    var resumed = new SwitchConnection(VhostDevice.resume(options, socket, can, shadow));
    resumed.handle = handle;
    return resumed;
  }

  VhostDeviceOptions options() {
    return device.options();
  }

  /** {@return the name of the connection's socket in the store} */
  String saved(NicSaver saver) {
    OwnedDescriptor socket = handle;
    if (socket == null && number() >= 0) {
      socket = saver.handleOf(number(), device.name() + " to the switch");
      handle = socket;
    }
    return saver.name(socket);
  }

  BackEndCapabilities capabilities() {
    return device.capabilities();
  }

  VhostDevice device() {
    return device;
  }

  /** {@return the descriptor to poll; -1 if the connection is closed} */
  int number() {
    return device.number();
  }

  /** {@return the process at the other end; 0: it cannot be seen, or the connection is closed} */
  int process() {
    return number() < 0 ? 0 : PeerCredentials.of(number()).process();
  }

  /** {@return what to poll it for} */
  int events() {
    return Poller.IN | (underWay != null && underWay.waitsForRoom() ? Poller.OUT : 0);
  }

  /** {@return whether a presetup is under way} */
  boolean isBusy() {
    return underWay != null;
  }

  /** {@return how long the switch may still take for what is under way, in nanoseconds} */
  long nanosLeft() {
    if (underWay == null) {
      return Long.MAX_VALUE;
    }
    long now = System.nanoTime();
    return Math.min(until.remainingNanos(now), underWay.nanosToDeadline(now));
  }

  /**
   * Begins to tell the switch early what is known of a device that does not run there yet.
   *
   * @param running what it is to hold once the device runs
   * @throws VhostException if the switch cannot hold it
   */
  void preset(DeviceConfig running, Deadline deadline) {
    PresetupMode mode =
        capabilities().hasPresetup() ? PresetupMode.EXPLICIT : PresetupMode.IMPLICIT;
    DeviceConfig early = EarlyConfiguration.of(mode, running, capabilities());
    Plan plan = device.plan(early.withGeneration(++generation));
    underWay = device.begin(plan, deadline, StoppedRings.AS_ANSWERED);
    until = deadline;
  }

  /**
   * Goes on with what is under way.
   *
   * @return its outcome; null while it is under way
   */
  @Nullable Outcome advance() {
    Execution execution = underWay;
    if (execution == null) {
      return null;
    }
    if (!execution.advance(true)) {
      if (until.expired()) {
        execution.abandon(
            new DeadlineException(device.name() + ": presetup was not done within " + until));
      } else {
        return null;
      }
    }
    underWay = null;
    return device.takeOutcome(execution);
  }

  /**
   * Waits for a presetup that is under way. If it is not done in time, the connection is closed.
   *
   * @param deadline for the rest of it, if that is earlier than its own
   * @return its outcome; null if none was under way
   */
  @Nullable Outcome finish(Deadline deadline) {
    until = until.remainingNanos() < deadline.remainingNanos() ? until : deadline;
    Outcome outcome = null;
    while (underWay != null) {
      outcome = advance();
      if (outcome == null) {
        await();
      }
    }
    return outcome;
  }

  /**
   * Tells the switch the difference to what it holds, and waits for what has to be answered. No
   * presetup may be under way.
   *
   * @param desired what it is to hold
   * @param waits whether every step is to be answered; otherwise only those that this switch has to
   *     be asked for
   * @param deadline for all of it
   * @return the outcome
   * @throws VhostException if the switch cannot hold it; nothing was sent then
   */
  Told tell(DeviceConfig desired, boolean waits, Deadline deadline) {
    Plan plan = device.plan(desired);
    Plan sent =
        waits ? plan.withoutBarrier() : PreparedPlan.acknowledgedWhereNeeded(plan).withoutBarrier();
    return new Told(sent, device.execute(sent, deadline));
  }

  /** The same, and the outcome says whether the device has started. */
  Told tellAndCheck(DeviceConfig desired, Deadline deadline) {
    Plan plan = device.plan(desired);
    return new Told(plan, device.execute(plan, deadline));
  }

  private void await() {
    try (Poller poller = new Poller(1)) {
      poller.add(number(), events());
      poller.await(nanosLeft());
    }
  }

  /**
   * What was told.
   *
   * @param plan as it was sent
   * @param outcome its result
   */
  record Told(Plan plan, Outcome outcome) {}

  /**
   * Looks what the switch has sent without being asked.
   *
   * @return why the connection is over; null if it is not
   */
  @Nullable VhostException look(Deadline deadline) {
    return device.look(deadline);
  }

  /** Closes the connection. The switch forgets everything. */
  @Override
  public void close() {
    if (underWay != null) {
      underWay.abandon(
          new VhostException(device.name() + ": the connection is closed", Recovery.RECONNECT));
      InflightRegion made = device.takeOutcome(underWay).inflight();
      if (made != null) {
        made.file().close();
      }
      underWay = null;
    }
    device.close();
    if (handle != null) {
      handle.close();
      handle = null;
    }
  }
}
