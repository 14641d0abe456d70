package io.github.jvhost.mediate;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a NIC's switches are told, and when. It brings what the front end does, what switches send
 * and what time makes due to the part that knows about it:
 *
 * <pre>
 *   front end, poll, clock --&gt; NicService -+-&gt; ServingSwitch   the connection, NicState
 *                                          +-&gt; DeviceRun       start, change, stop, replay
 *                                          +-&gt; EarlySetup      predictions, presetup
 *                                          +-&gt; Spares          standby, move
 *                                          +-&gt; DeviceChanges   what spares and the peer are told of
 * </pre>
 *
 * <p>It is called on the NIC's thread alone.
 */
final class NicService implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(NicService.class);

  /** The most descriptors that {@link #watch} adds. */
  static final int WATCHED = 3;

  private final NicShared nic;
  private final ServingSwitch serving;
  private final DeviceRun run;
  private final EarlySetup early;
  private final DeviceChanges changes;
  private final Spares spares;

  /** Whether a ring got a kick since the device stopped, so that it may start again. */
  private boolean kickedSinceStop;

  /** What the switch is to announce once it can be asked. */
  private byte @Nullable [] announcement;

  NicService(NicOptions options, DescriptorLedger ledger, NicShared.Surroundings around) {
    nic =
        new NicShared(
            options, ledger, around, new FrontEndDevice(), new NicHistory(options.name()));
    Predicate<SwitchConnection> turn = at -> around.takeTurn(at.process());
    serving = new ServingSwitch(nic);
    run = new DeviceRun(nic, serving);
    early = new EarlySetup(nic, serving, turn);
    changes = new DeviceChanges(nic);
    spares = new Spares(nic, serving, run, changes, turn);
  }

  NicShared nic() {
    return nic;
  }

  ServingSwitch serving() {
    return serving;
  }

  Spares spares() {
    return spares;
  }

  EarlySetup early() {
    return early;
  }

  // ---- the loop: what is polled, and what is done from time to time ----

  private @Nullable SwitchConnection[] connections() {
    return new SwitchConnection[] {serving.connection(), spares.toStandby(), spares.toTarget()};
  }

  private boolean noPlanIsUnderWay() {
    for (SwitchConnection at : connections()) {
      if (at != null && at.isBusy()) {
        return false;
      }
    }
    return true;
  }

  /** Does what is due, before a poll: {@link #nanosToNextTask} says when that is again. */
  void doWhatIsDue() {
    if (noPlanIsUnderWay()) {
      nic.device().closeReplaced();
    }
    serving.attempt();
    run.replay(nic.presetup()); // it may map guest memory
    changes.doWhatIsDue(serving.state() == NicState.RUNNING);
    early.doWhatIsDue();
    spares.doWhatIsDue();
    if (announcement != null && serving.announce(announcement)) {
      announcement = null;
      nic.around().hasChanged();
    }
    if (noPlanIsUnderWay()) {
      nic.around().giveTurnBack();
    }
  }

  /** {@return how long the thread may sleep at most, in nanoseconds} */
  long nanosToNextTask() {
    return Math.min(
        Math.min(serving.nanosLeft(), early.nanosLeft()),
        Math.min(changes.nanosLeft(), spares.nanosLeft()));
  }

  /** Adds the switches to a poll; {@link #serve} has to follow it. */
  void watch(Poller poller) {
    for (SwitchConnection at : connections()) {
      poller.add(at == null ? -1 : at.number(), at == null ? 0 : at.events());
    }
  }

  /**
   * Serves the switches after a poll.
   *
   * @param first the index of the first that {@link #watch} has added
   */
  void serve(Poller poller, int first) {
    boolean[] ready = new boolean[WATCHED];
    @Nullable SwitchConnection[] polled = connections();
    for (int i = 0; i < WATCHED; i++) {
      SwitchConnection at = polled[i];
      ready[i] = at != null && (poller.ready(first + i) != 0 || at.nanosLeft() <= 0);
    }
    SwitchConnection at = serving.connection();
    if (at != null && ready[0]) {
      if (at.isBusy()) {
        early.advance(at);
      } else {
        serving.look();
      }
    }
    if (ready[1]) {
      spares.standbyIsReady();
    }
    if (ready[2]) {
      spares.targetIsReady();
    }
  }

  // ---- the front end ----

  /** A front end has connected. */
  void frontEndCame(int socket) {
    serving.to(NicState.Event.FRONT_END_CAME);
    early.frontEndCame(socket);
    nic.history().frontEndCame();
  }

  /** The front end has gone. */
  void frontEndWent() {
    early.frontEndWent();
    spares.frontEndWent();
    serving.frontEndWent();
    run.frontEndWent();
    changes.frontEndWent();
    nic.device().close();
    kickedSinceStop = false;
    announcement = null;
  }

  /**
   * The front end has changed something. Tells the switch if the device runs there.
   *
   * @param waits whether the front end waits for the switch's answer
   * @param kick whether a ring got its kick. A ring that was stopped alone is started again by that
   * @param hasStatus whether the front end says by the status byte that the device runs
   * @return whether the switch has taken it
   */
  boolean changed(boolean waits, boolean kick, boolean hasStatus) {
    kickedSinceStop |= kick;
    changes.happened(serving.state().isStarted());
    if (serving.state().isStarted()) {
      return run.change(waits);
    }
    boolean runs = !hasStatus || (nic.device().status() & DeviceStatus.DRIVER_OK) != 0;
    if (runs && kickedSinceStop && anyRingIsComplete()) {
      start();
    }
    return true;
  }

  private boolean anyRingIsComplete() {
    FrontEndDevice device = nic.device();
    return device.rings().stream().anyMatch(r -> device.isComplete(r) && device.isEnabled(r));
  }

  /** The device is to run, if it does not. */
  void start() {
    if (serving.state().isStarted()) {
      return; // the front end says again what it has said
    }
    early.finish();
    changes.started();
    run.start();
  }

  /** The front end has reset the device. */
  void reset() {
    stop();
    nic.device().kicksAreGone();
  }

  /**
   * The front end stops a ring, which makes the device stop, if it runs. Most front ends stop the
   * others next. One that starts this ring again makes all of them go on.
   *
   * @return where the ring goes on
   * @throws io.github.jvhost.VhostException if that is not known
   */
  int stop(int ring) {
    stop();
    nic.device().kickIsGone(ring);
    return run.baseOf(ring);
  }

  private void stop() {
    if (!serving.state().isStarted()) {
      return;
    }
    spares.deviceStops();
    run.stop();
    changes.stopped();
    kickedSinceStop = false;
  }

  /**
   * The front end has the guest announced, as soon as a switch can be asked for it.
   *
   * @param mac six bytes, in wire order
   */
  void announce(byte[] mac) {
    announcement = mac;
    nic.around().hasChanged();
  }

  // ---- what a mediator that takes over has to know ----

  /**
   * {@return the NIC, for a mediator that takes over}
   *
   * @param as the state that it is taken over from
   * @param frontEnd its socket's name in the store
   * @param protocolFeatures that the front end has acknowledged
   */
  SavedNic saved(NicState as, NicSaver saver, String frontEnd, long protocolFeatures) {
    return new SavedNic(
        as,
        kickedSinceStop,
        announcement == null ? Bytes.EMPTY : Bytes.copyOf(announcement),
        spares.savedStandby(),
        changes.isShipped(),
        changes.generation(),
        frontEnd,
        protocolFeatures,
        nic.device().saved(saver),
        serving.saved(saver));
  }

  /**
   * Takes up what an earlier mediator has saved.
   *
   * <pre>
   *   saved                        device     connection     then
   *   CONNECTED PRESETTING PRESET  CONNECTED  is closed      the next switch is told when it starts
   *   RUNNING                      RUNNING    is used        nothing
   *   NO_SWITCH                    NO_SWITCH  is closed      replay, from the used indexes
   *   STOPPED                      STOPPED    is closed      the next switch is told when it starts
   * </pre>
   *
   * <p>Before a switch that serves may be told something, NO_SWITCH is saved. The message that asks
   * for it is in the socket until the new state is saved and the message is answered. So it is
   * received again, and done as if it had not been received before: no row needs to know it.
   *
   * @param socket of the front end
   * @param files gives the file of a name, which the service then owns
   */
  void restore(SavedNic saved, int socket, Function<String, OwnedDescriptor> files) {
    early.frontEndCame(socket);
    serving.restore(NicState.CONNECTED, null, files); // if the rest fails, the front end has to go
    nic.device().restore(saved.device(), files);
    serving.restore(saved.state(), saved.theSwitch(), files);
    kickedSinceStop = saved.kickedSinceStop();
    announcement = saved.announcement().size() == 0 ? null : saved.announcement().toArray();
    changes.restore(saved.shipped(), saved.shippedGeneration(), saved.state().isStarted());
    if (!saved.standby().isEmpty()) {
      try {
        spares.standby(nic.saved(saved.standby()));
      } catch (VhostException e) {
        log.warn("{}: it has no standby any more: {}", nic.name(), e.getMessage());
      }
    }
    log.info("{}: taken over as {}", nic.name(), serving.state());
  }

  /**
   * {@return what is going on, as it is shown}
   *
   * @param notSaved as in {@link NicStatus}
   */
  NicStatus status(@Nullable String notSaved) {
    return NicStatus.of(
        nic.options(),
        serving.state(),
        nic.device(),
        serving.connection(),
        spares.status(),
        nic.history(),
        notSaved);
  }

  @Override
  public void close() {
    spares.close();
    serving.close();
    nic.around().giveTurnBack();
    nic.device().close();
  }
}
