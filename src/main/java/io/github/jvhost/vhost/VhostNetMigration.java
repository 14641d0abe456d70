package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Translations;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a migration does with a {@link VhostNet}, at either end: its dirty log, its state, its
 * prepared start, and how it goes on after a migration that failed. An embedder that uses
 * io.github.jvhost.migration does not need it.
 *
 * <p>Inside this package it also begins and finishes a device's part in a transition of many
 * devices, which are carried out {@linkplain Flights side by side}.
 *
 * <p>Thread-safe: every method holds the device's lock.
 */
public final class VhostNetMigration {
  /**
   * The most bytes of a back end's own state that a migration carries: 64 MiB. The destination
   * keeps them in the heap until the device is restored.
   */
  public static final int BACK_END_STATE_LIMIT = NetState.MAX_BACK_END_STATE;

  /** The most translations that a migration carries for a device behind an IOMMU. */
  public static final int MOST_TRANSLATIONS = DeviceTranslations.MOST_HINTS;

  private static final Logger log = LoggerFactory.getLogger(VhostNetMigration.class);

  private final VhostNet net;
  private final DeviceMemory memory;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;

  /** Whether this device is a rehearsal's copy of another one. */
  private volatile boolean rehearses;

  /** The connection over which a back end's state was loaded last; null if none was. */
  private @Nullable Carrier stateLoadedOn;

  VhostNetMigration(
      VhostNet net,
      DeviceMemory memory,
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
   * Makes a copy of this device with a simulated back end, on which the stop window can be
   * rehearsed. This device, its back end and guest memory are not touched.
   *
   * @param within bounds every wait of that device, its connecting included
   * @return the copy, which the caller closes
   * @throws VhostException if it cannot be made, or not in that time
   */
  public RehearsalDevice rehearsal(Deadline within) {
    try (var _ = lock.hold()) {
      return new RehearsalDevice(
          device.options(),
          device.capabilities(),
          net.model().twin(),
          memory,
          transitions.askedTranslations(),
          within);
    }
  }

  /**
   * {@return what the back end was told of the device's IOMMU and was not told to forget, for the
   * destination of a migration; those that are one piece are merged; at most {@link
   * #MOST_TRANSLATIONS}, none without an IOMMU}
   */
  public List<Translation> translations() {
    try (var _ = lock.hold()) {
      Translations told = device.shadowNow().get(Fact.TRANSLATIONS).orNull();
      return told == null ? List.of() : DeviceTranslations.merged(told.all());
    }
  }

  /**
   * The source says what its back end was told. Presetup tells this back end the same. A start
   * tells it what this host's IOMMU says, which is expected to have its state by then.
   *
   * @param told a hint; what lies outside of guest memory or overlaps is ignored
   */
  public void expectTranslations(List<Translation> told) {
    try (var _ = lock.hold()) {
      transitions.expectTranslations(told);
    }
  }

  /**
   * Plans and encodes the start from a state that was saved while the guest still runs. Call it
   * after presetup, on the same connection. The start itself then only compares and patches, if
   * only ring indexes differ from that state. If this is not possible, nothing is prepared, and the
   * start is planned when it is due.
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

  /** This device is a rehearsal's copy of another one, and shares guest memory with it. */
  void isRehearsal() {
    rehearses = true;
  }

  /** For {@link RehearsalDevice}; see {@link NetTransitions#rewind}. */
  void rewind(Shadow held, boolean changed) {
    try (var _ = lock.hold()) {
      transitions.rewind(held, changed);
    }
  }

  /**
   * Reports that the device goes on in another way than was asked for, because a migration has
   * decided so. The report goes to the device's {@link Observer} and to a flight recording.
   *
   * @param why in words
   */
  public void fellBack(String why) {
    device.observation().fallback(why);
  }

  // ---- the dirty log ----

  /**
   * Switches the back end's dirty log on, to another bitmap, or off. While it is on, memory that is
   * added behind its end is refused at the next refresh: log to a larger one first.
   *
   * @param target covers all of guest memory; the caller keeps it, and keeps it open until the log
   *     was switched off or the device stopped; null: off
   * @throws VhostException if the back end cannot log or the log is too small (GIVE_UP), or if the
   *     back end did not take it
   */
  public void logTo(@Nullable DirtyLog target) {
    try (var _ = lock.hold()) {
      if (target != null && !device.capabilities().canLog()) {
        throw new VhostException(
            "%s: the back end cannot log the pages that it writes (%s)"
                .formatted(device.name(), device.capabilities().whatLoggingNeeds()),
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
   * The guest runs, or may run, on another host now. From now on a refresh, a start and an access
   * are refused, because they would send this back end something, and so that the device is not
   * started on two hosts. It can be closed. Restoring a state makes it a device of this host again.
   */
  public void handedOver() {
    try (var _ = lock.hold()) {
      transitions.handedOver();
    }
  }

  /**
   * Ends the use of the bitmap, which is about to be closed. Sends nothing: the device is stopped
   * or given up, and logs no more.
   */
  public void dropLog() {
    try (var _ = lock.hold()) {
      transitions.logTo(null);
    }
  }

  /**
   * Lets the device go on here after a migration, without a dirty log: sends what differs, starts a
   * device that was stopped, and connects again if the back end has gone.
   *
   * @throws VhostException if it could not be brought back; the rest of the VM may go on without it
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
   * Serves the control queue of a guest that runs here from now on. A command from before the pause
   * may still wait there, and the driver does not kick for it again. The network works without it,
   * so a failure is only logged. A rehearsal's copy leaves it alone: the queue is in the memory of
   * the real guest, which would get an answer.
   */
  public void serveWhatWaits() {
    if (rehearses) {
      return;
    }
    try {
      net.serviceControlQueue();
    } catch (Throwable e) { // whatever it is, it must not stop a guest that runs
      log.warn("{}: serving what waited in its control queue", device.name(), e);
    }
  }

  // ---- the state that is carried over ----

  /** See {@link VhostNet#restore}. */
  void restore(VirtioNetState state) {
    try (var _ = lock.hold()) {
      // Without takeTurn, because a device that was handed over may be restored. The outcome of a
      // plan that is under way would be put into the model that the state has replaced.
      lock.awaitPlanEnd();
      NetState saved = state.net();
      NetPlanning.requireAddress(
          device.name(), saved.mac(), device.capabilities(), "the back end", "the saved state has");
      if (saved.backEnd().isPresent()) {
        transitions.requireOpen();
        VirtioNetState without = state.withNet(saved.withBackEnd(Optional.empty()));
        net.model().requireFits(without); // before anything is sent to the back end
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
   * {@return whether the back end has a state of its own that is migrated with the device:
   * DEVICE_STATE is requested in {@link VhostDeviceOptions} and offered}
   */
  public boolean hasBackEndState() {
    try (var _ = lock.hold()) {
      return device.capabilities().hasOwnState();
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
   * {@return the content of QEMU's section of a stopped device: what {@link VhostNet#snapshot}
   * returns, and the back end's own state if {@link #hasBackEndState}} It is for a program that
   * writes such a section; {@link VhostNet#restore} takes it.
   *
   * @throws VhostException as for {@link #saveBackEndState}
   * @throws IllegalStateException if the back end has such a state and the device runs
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
   * Reads the back end's own state, after the stop and before anything else is sent.
   *
   * @param into gets at most {@link #BACK_END_STATE_LIMIT} bytes; the caller keeps it
   * @throws VhostException if the back end cannot do that, has too much, answers that it failed
   *     (CHECK_DEVICE_STATE), is gone, or took longer than a transition may
   */
  public void saveBackEndState(WritableByteChannel into) {
    try (var _ = lock.hold()) {
      device.requireConnection().saveState(into, BACK_END_STATE_LIMIT, net.transitionDeadline());
    }
  }

  /**
   * Writes a back end's state into this device's, which has not been started.
   *
   * @param from gives the bytes up to its end; the caller keeps it
   * @throws VhostException as for a save; the connection is closed then, because the back end may
   *     hold half of a state
   * @throws IllegalStateException if the device runs
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
      device.requireConnection().loadState(from, BACK_END_STATE_LIMIT, net.transitionDeadline());
    } catch (VhostException e) {
      transitions.connection().cannotFollow(e);
      throw e;
    }
    stateLoadedOn = device.connection();
  }

  /**
   * {@return whether the connection is still the one over which a state was loaded} On a new
   * connection the back end has forgotten it.
   */
  public boolean holdsLoadedState() {
    try (var _ = lock.hold()) {
      Carrier connection = device.connection();
      return connection != null && connection.equals(stateLoadedOn);
    }
  }

  // ---- transitions, each begun and finished so that many devices can go side by side ----

  /**
   * Plans and begins a start while it holds the lock, so that nothing changes between the two. The
   * plan goes on without the lock, side by side with other devices'. Until {@link #letGo} only that
   * plan uses the connection, and other threads wait.
   *
   * @throws VhostException if a ring lies outside of guest memory, or guest memory rules out its
   *     position in the saved state. A driver cannot cause this, because its device would have been
   *     marked broken at once. The state belongs to another device, or guest memory is not that of
   *     the source; the source should go on
   */
  Execution beginStart(StartOrder order) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      Execution prepared = order.sideBySide() ? transitions.beginPrepared() : null;
      if (prepared != null) {
        lock.keepForPlan();
        return prepared;
      }
      transitions.requireRingsInMemory();
      transitions.requirePossiblePositions();
      return begun(transitions.planStart(order), net.transitionDeadline());
    }
  }

  /** Prepares the next stop while the guest still runs, if possible. */
  void prepareStop() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.prepareStop(net.transitionDeadline());
    }
  }

  /**
   * Makes sure that the model says where the device goes on in each ring, after a stop that may
   * have failed.
   *
   * @throws VhostException (GIVE_UP) if this is not known for packed rings; then they must not be
   *     served until the driver has reset the device
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
        lock.keepForPlan();
        return prepared;
      }
      return begun(transitions.planStopForGood(order), net.transitionDeadline());
    }
  }

  /** The same for presetup. Returns the execution, or why it was not begun. */
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
   * The beginning of presetup.
   *
   * @param execution of its plan; null: it was not begun
   * @param why it was not begun; empty if it was
   */
  record EarlyBeginning(@Nullable Execution execution, String why) {}

  private Execution begun(Plan plan, Deadline deadline) {
    Execution execution = transitions.begin(plan, deadline);
    lock.keepForPlan();
    return execution;
  }

  /** Puts the outcome of a plan into shadow and model; the device is held until {@link #letGo}. */
  Outcome takeOutcome(Execution execution) {
    try (var _ = lock.hold()) {
      return transitions.takeOutcome(execution);
    }
  }

  /** Releases the device, so that other threads can use it. */
  void letGo() {
    try (var _ = lock.hold()) {
      lock.letGoOfPlan();
      transitions.planEnds();
    }
  }

  /** The present connection; null if there is none. */
  @Nullable Carrier connection() {
    try (var _ = lock.hold()) {
      return device.connection();
    }
  }

  /** How long presetup of this device may take. */
  Deadline presetupDeadline() {
    return Deadline.after(device.options().presetupWithin());
  }

  /** Makes a new connection in place of the old one; the device is not started there. */
  void reconnectOnly(String why) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.connection().connectAnew(why);
      transitions.presence().restoreLink();
    }
  }
}
