package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a migration does with a {@link VhostNet}, at either end: its dirty log, its state, its start
 * made ahead of time, and how it goes on after a migration that failed. Whoever leaves migration to
 * io.github.jvhost.migration needs none of it.
 *
 * <p>Inside of this package it is also where transitions of many devices come together: each is
 * begun, carried out {@linkplain Flights side by side} and finished.
 *
 * <p>Thread-safe: all of it holds the device's lock, and is one of those who take lock.
 */
public final class VhostNetMigration {
  /**
   * The most bytes of a back end's own state that travel: 64 MiB. The destination keeps them in the
   * heap until the device is restored.
   */
  public static final int BACK_END_STATE_LIMIT = NetState.MAX_BACK_END_STATE;

  private static final Logger log = LoggerFactory.getLogger(VhostNetMigration.class);

  private final VhostNet net;
  private final GuestMemory memory;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;

  /** Over which a back end's state was loaded last; null: none was. */
  private @Nullable Carrier stateLoadedOn;

  VhostNetMigration(
      VhostNet net,
      GuestMemory memory,
      VhostDevice device,
      NetTransitions transitions,
      DeviceLock lock) {
    this.net = net;
    this.memory = memory;
    this.device = device;
    this.transitions = transitions;
    this.lock = lock;
  }

  // ---- presetup ----

  /**
   * A device like this one, at a back end that is none, on which the stop window can be rehearsed.
   * This device, its back end and guest memory are not touched.
   *
   * @param within bounds whatever is waited for on that device, its set-up included
   * @return the caller's to close
   * @throws VhostException it cannot be made, or not in that time
   */
  public RehearsalDevice rehearsal(Deadline within) {
    try (var _ = lock.hold()) {
      return new RehearsalDevice(
          device.options(), device.capabilities(), net.model().twin(), memory, within);
    }
  }

  /**
   * Plans and encodes the start ahead of time, from a state that was saved while the guest still
   * runs; after an early set-up, on the connection as it is. The start itself then only compares
   * and patches, if nothing but ring indexes differs from that state. Where this cannot be done
   * nothing is prepared, and the start is planned when it is due.
   *
   * @param early of this device
   * @return whether it was prepared
   */
  public boolean prepareStart(VirtioNetState early) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      return transitions.prepareStart(early, net.transitionDeadline());
    }
  }

  /** For {@link RehearsalDevice}; see {@link NetTransitions#rewind}. */
  void rewind(Shadow held) {
    try (var _ = lock.hold()) {
      transitions.rewind(held);
    }
  }

  /**
   * A migration has decided, for a reason of its own, that the device goes on another way than was
   * asked for. The device's {@link Observer} hears of it, and a flight recording.
   *
   * @param why in words
   */
  public void fellBack(String why) {
    device.observation().fallback(why);
  }

  // ---- the dirty log ----

  /**
   * Switches the back end's dirty log on, to another bitmap, or off.
   *
   * @param target stays the caller's and has to stay open until the log was switched off or the
   *     device stopped; null: off
   * @throws VhostException the back end cannot log (GIVE_UP), or did not take it
   */
  public void logTo(@Nullable DirtyLog target) {
    try (var _ = lock.hold()) {
      if (target != null && !device.capabilities().canLog()) {
        throw new VhostException(
            device.name()
                + ": the back end cannot log the pages that it writes (VHOST_F_LOG_ALL, LOG_SHMFD)",
            Recovery.GIVE_UP);
      }
      transitions.takeTurn();
      transitions.logTo(target);
      if (transitions.running()) {
        net.refresh();
      }
    }
  }

  /**
   * The guest runs on another host now, or may. What would tell this back end something is refused
   * from here on, so that the device is not started here beside it: a refresh, a start, an access.
   * It can be closed. A state that is restored makes it a device of this host again.
   */
  public void handedOver() {
    try (var _ = lock.hold()) {
      transitions.handedOver();
    }
  }

  /** The bitmap is about to be closed, and this device, stopped or given up, writes no more. */
  public void forgetLog() {
    try (var _ = lock.hold()) {
      transitions.logTo(null);
    }
  }

  /**
   * Whatever a migration has left of the device, it goes on here, without a dirty log: what is
   * still told differently is told, a device that was stopped is started, and one whose back end
   * went away is connected anew.
   *
   * @throws VhostException it could not be brought back; the rest of the VM may go on without it
   */
  public void runOn() {
    try (var _ = lock.hold()) {
      try {
        bringBack();
      } finally {
        serveWhatWaits();
      }
    }
  }

  private void bringBack() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.logTo(null);
      if (!device.connected()) {
        net.reconnect("there was none").orThrow();
        return;
      }
      try {
        net.refresh();
      } catch (VhostException e) {
        log.warn("{}: connecting anew: {}", device.name(), e.getMessage());
        net.reconnect(String.valueOf(e.getMessage())).orThrow();
      }
    }
  }

  /**
   * Serves the control queue of a guest that runs here from now on: what its driver had put there
   * before it was paused may have waited since, and nobody kicks for it again. The network is there
   * whatever becomes of that, so a failure is only logged.
   */
  public void serveWhatWaits() {
    try {
      net.serviceControlQueue();
    } catch (Throwable e) { // an Error of an embedder's listener does not stop a guest that runs
      log.warn("{}: serving what waited in its control queue", device.name(), e);
    }
  }

  // ---- the state that is carried over ----

  /** See {@link VhostNet#restore}. */
  void restore(VirtioNetState state) {
    try (var _ = lock.hold()) {
      NetState saved = state.net();
      if (saved.backEnd().isPresent()) {
        transitions.requireOpen();
        lock.await(); // a device whose guest was migrated away may be restored, too
        VirtioNetState without = state.withNet(saved.withBackEnd(Optional.empty()));
        net.model().requireFits(without); // what does not fit reaches no back end
        requireTakesState();
        load(BackEndStateParts.channel(saved.backEnd().get()));
        net.model().restore(without);
      } else {
        net.model().restore(state);
      }
      transitions.stateWasRestored();
      transitions.hereAgain();
    }
  }

  // ---- the back end's own state ----

  /**
   * {@return whether the back end has a state of its own that travels with the device: DEVICE_STATE
   * was asked for in {@link VhostDeviceOptions} and is offered}
   */
  public boolean hasBackEndState() {
    try (var _ = lock.hold()) {
      return ProtocolFeature.DEVICE_STATE.isIn(device.capabilities().protocolFeatures());
    }
  }

  private void requireTakesState() {
    if (!hasBackEndState()) {
      throw new VhostException(
          device.name()
              + ": the saved state has state of its back end, and the back end here takes none: it"
              + " does not offer DEVICE_STATE, or VhostDeviceOptions does not ask for that;"
              + " NetState.withBackEnd leaves it out",
          Recovery.GIVE_UP);
    }
  }

  /** A back end moves its state while no ring runs (vhost-user, "Migrating back-end state"). */
  private void requireStopped() {
    if (transitions.running()) {
      throw new IllegalStateException(
          device.name() + ": a back end's state moves while the device is stopped: stop it first");
    }
  }

  /**
   * {@return what QEMU's section of a stopped device has in it: what {@link VhostNet#snapshot}
   * returns, and the back end's own state with it, where {@link #hasBackEndState}} For whoever
   * writes such a section; {@link VhostNet#restore} takes it.
   *
   * @throws VhostException as for {@link #saveBackEndState}
   * @throws IllegalStateException the back end has such a state, and the device runs
   */
  public VirtioNetState snapshotWithBackEndState() {
    try (var _ = lock.hold()) {
      VirtioNetState state = net.snapshot();
      if (!hasBackEndState()) {
        return state;
      }
      transitions.takeTurn();
      requireStopped();
      var bytes = new ByteArrayOutputStream();
      try {
        saveBackEndState(Channels.newChannel(bytes));
      } catch (VhostException e) {
        transitions.connection().noteLoss(e);
        throw e;
      }
      return state.withNet(
          state.net().withBackEnd(Optional.of(BackEndStateParts.of(bytes.toByteArray()))));
    }
  }

  /**
   * Reads the back end's own state out of it, behind the stop and before anything else is told.
   *
   * @param into gets at most {@link #BACK_END_STATE_LIMIT} bytes; stays the caller's
   * @throws VhostException the back end cannot, has too much, says that it failed
   *     (CHECK_DEVICE_STATE), is gone, or took longer than a transition may
   */
  public void saveBackEndState(WritableByteChannel into) {
    try (var _ = lock.hold()) {
      transferOfState().save(device.frontEnd(), into, net.transitionDeadline());
    }
  }

  /**
   * Writes a back end's state into this device's, which has not been started.
   *
   * @param from gives the bytes up to its end; stays the caller's
   * @throws VhostException as for a save; the connection is closed then, because the back end may
   *     hold half of a state
   * @throws IllegalStateException the device runs
   */
  public void loadBackEndState(ReadableByteChannel from) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      load(from);
    }
  }

  private void load(ReadableByteChannel from) {
    requireStopped();
    try {
      transferOfState().load(device.frontEnd(), from, net.transitionDeadline());
    } catch (VhostException e) {
      transitions.connection().cannotFollow(e);
      throw e;
    }
    stateLoadedOn = device.connection();
  }

  /**
   * {@return whether the connection is still the one over which a state was loaded} A back end that
   * was connected to anew has forgotten it.
   */
  public boolean holdsLoadedState() {
    try (var _ = lock.hold()) {
      Carrier connection = device.connection();
      return connection != null && connection.equals(stateLoadedOn);
    }
  }

  private BackEndStateTransfer transferOfState() {
    return new BackEndStateTransfer(device.options().ledger(), BACK_END_STATE_LIMIT);
  }

  // ---- transitions, each begun and finished so that many devices can go side by side ----

  /**
   * Plans and begins in one step, so that nothing comes between what was planned upon and what is
   * told. The plan goes on without the lock, side by side with other devices'; until {@link
   * #finish} the connection is that plan's alone, and whoever else wants it waits.
   *
   * @throws VhostException a ring lies outside of guest memory, or guest memory shows that it
   *     cannot go on where the saved state says. A driver cannot bring this about: its device would
   *     have been broken at once. The state is somebody else's, or this VM has not got the memory
   *     of the one that it comes from; its source had better go on
   */
  Execution beginStart(StartOrder order) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      Execution prepared = order.sideBySide() ? transitions.beginPrepared() : null;
      if (prepared != null) {
        lock.planBegins();
        return prepared;
      }
      transitions.requireRingsInMemory();
      transitions.requirePossiblePositions();
      return begun(transitions.planStart(order), net.transitionDeadline());
    }
  }

  /** Makes the next stop ahead of time, while the guest still runs, if that can be done. */
  void prepareStop() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.prepareStop(net.transitionDeadline());
    }
  }

  /**
   * Makes sure that the model says where the device goes on in each ring, after a stop that may
   * have failed; for whoever stopped it.
   *
   * @throws VhostException (GIVE_UP) of packed rings that is not known; nobody may serve them then
   *     until the driver has reset the device
   */
  void requireRingPositions() {
    try (var _ = lock.hold()) {
      transitions.requireRingPositions();
    }
  }

  /**
   * See {@link NetConnection#requireNoneLeftServing}: for a device whose connection was over before
   * its stop.
   */
  void requireNoneLeftServing() {
    try (var _ = lock.hold()) {
      transitions.connection().requireNoneLeftServing();
    }
  }

  /** The same as {@link #beginStart} for a stop. */
  Execution beginStop(StartOrder order) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      Execution prepared = order.sideBySide() ? transitions.beginPreparedStop() : null;
      if (prepared != null) {
        lock.planBegins();
        return prepared;
      }
      return begun(transitions.planStopForGood(order), net.transitionDeadline());
    }
  }

  /** The same for an early set-up: what was begun, or why not. */
  EarlyBeginning beginPresetup(
      PresetupMode mode, VirtioNetState early, int generation, Deadline deadline) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      PresetupPlanner.EarlyPlan planned = transitions.planPresetup(mode, early, generation);
      return planned.plan() == null
          ? new EarlyBeginning(null, planned.why())
          : new EarlyBeginning(begun(planned.plan(), deadline), "");
    }
  }

  /**
   * An early set-up that was begun, or not.
   *
   * @param execution null: it was not
   * @param why not
   */
  record EarlyBeginning(@Nullable Execution execution, String why) {}

  private Execution begun(Plan plan, Deadline deadline) {
    Execution execution = transitions.begin(plan, deadline);
    lock.planBegins();
    return execution;
  }

  /** Takes up what became of one that was begun here; others have their turn again. */
  Outcome finish(Execution execution) {
    try (var _ = lock.hold()) {
      try {
        return transitions.fold(execution);
      } finally {
        letGo();
      }
    }
  }

  /** Takes up what became of one, and holds the device on until {@link #letGo}. */
  Outcome fold(Execution execution) {
    try (var _ = lock.hold()) {
      return transitions.fold(execution);
    }
  }

  /** Others have their turn again. */
  void letGo() {
    try (var _ = lock.hold()) {
      lock.planEnds();
      transitions.planEnds();
    }
  }

  /** The connection as it is now; null: there is none. */
  @Nullable Carrier connection() {
    try (var _ = lock.hold()) {
      return device.connection();
    }
  }

  /** How long presetup of this device may take. */
  Deadline presetupDeadline() {
    return Deadline.after(device.options().presetupWithin());
  }

  /** A new connection of which nothing is asked yet, in place of one that is of no use any more. */
  void reconnectOnly(String why) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.connection().connectAnew(why);
      transitions.presence().restoreLink();
    }
  }
}
