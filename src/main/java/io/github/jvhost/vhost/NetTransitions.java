package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RefusedBase;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes a virtio-net device from one state to another. It plans what the back end is to hold, from
 * the model, guest memory and the eventfds, and puts the outcome back into the model.
 *
 * <p>Whether the back end serves the rings follows from three things:
 *
 * <pre>
 *   startWanted       start was asked for, and no stop for good since
 *   readiness         whether driver and link let the rings be served ({@link Readiness})
 *   DeviceState       what the back end does; RUNNING: it was sent the rings, and serves them
 *
 *   planStart         start is wanted from now on; to RUNNING if READY, else to STOPPED
 *   startAnew         the same, also if LINK_LOST; the link comes up with the start
 *   planRefresh       planStart of a device that has changed
 *   planStopForGood   to STOPPED, and start is not wanted any more: a migration, the embedder
 * </pre>
 *
 * <p>The lock of its {@link VhostNet} guards it.
 */
final class NetTransitions {
  /** Whether driver and link let a back end serve the rings. */
  enum Readiness {
    /** There is no driver, the driver broke the device, or the embedder took the link down. */
    NOT_READY,
    /** The driver is there. The guest's link is down only because there was no back end. */
    LINK_LOST,
    /** The driver is there, and the link is up. */
    READY
  }

  private final DeviceLock lock;
  private final VirtioNet model;
  private final DeviceMemory memory;
  private final DeviceTranslations translations;
  private final VhostDevice device;
  private final NetConfiguration configuration;
  private final RingIndexes indexes;
  private final BackEndPresence presence;
  private final KeptInflight inflight = new KeptInflight();
  private final NetConnection connection;
  private @Nullable DirtyLog dirtyLog;

  /** Whether a closed device has released its resources. */
  private boolean released;

  // The prepared start and stop, or null if none was prepared.
  private @Nullable PreparedStart preparedStart;
  private @Nullable PreparedTransition preparedStop;

  /** Whether the device is to be started as soon as its driver, link and back end allow it. */
  private boolean startWanted;

  /** Whether something that a back end is to hold has changed in the model since the last plan. */
  private boolean modelChanged = true;

  /** The memory table of the last plan. */
  private MemoryTable plannedMemory = MemoryTable.EMPTY;

  /** Whether the guest runs, or may run, on another host now. */
  private boolean handedOver;

  NetTransitions(
      VirtioNet model,
      DeviceTranslations translations,
      EventfdTable eventfds,
      VhostDevice device,
      DeviceLock lock) {
    this.lock = lock;
    this.model = model;
    this.memory = translations.memory();
    this.translations = translations;
    this.device = device;
    this.configuration = new NetConfiguration(device.name(), translations, eventfds);
    this.indexes = new RingIndexes(model, memory, configuration, inflight);
    this.presence = new BackEndPresence(model, eventfds);
    this.connection = new NetConnection(device, presence, indexes, this::use);
  }

  // ---- whose turn it is ----

  /**
   * Waits until the caller may send the back end something. With the lock held.
   *
   * @throws IllegalStateException if the device is closed, if its guest was migrated away, or if a
   *     method of {@link BackEndEvents} calls, while the back end waits for its answer
   */
  void takeTurn() {
    requireOpen();
    Carrier opened = device.connection();
    if (opened != null && opened.isServingHere()) {
      throw new IllegalStateException(
          device.name()
              + ": BackEndEvents answers the back end on this thread, so nothing can be sent to it"
              + " before that returns; leave it to a thread of your own");
    }
    lock.awaitPlanEnd();
    requireOpen(); // the wait released the lock
    if (handedOver) {
      throw new IllegalStateException(
          device.name()
              + ": its guest was migrated and runs on another host; close this device, or restore a"
              + " state into it");
    }
  }

  /** The guest was migrated away: nothing may be sent here any more. */
  void handedOver() {
    handedOver = true;
  }

  /** A state was restored into the device, so it belongs to a guest of this host. */
  void hereAgain() {
    handedOver = false;
  }

  // ---- what it is ----

  BackEndPresence presence() {
    return presence;
  }

  /** Whether the back end serves the rings, as far as this side knows. */
  boolean running() {
    return connection.state() == DeviceState.RUNNING;
  }

  /** Whether driver and link let a back end serve the rings now. */
  Readiness readiness() {
    if (!model.live()) {
      return Readiness.NOT_READY;
    }
    if (model.linkUp()) {
      return Readiness.READY;
    }
    return presence.linkLost() ? Readiness.LINK_LOST : Readiness.NOT_READY;
  }

  private boolean ready() {
    return readiness() == Readiness.READY;
  }

  /** Whether the device would be started if there were a back end. */
  boolean waitsForBackEnd() {
    return startWanted && readiness() != Readiness.NOT_READY;
  }

  /**
   * The back end is to log there from the next plan on, or not to log (null).
   *
   * @throws VhostException (GIVE_UP) if the log does not cover guest memory
   */
  void logTo(@Nullable DirtyLog target) {
    if (target != null) {
      new LogTarget(target.descriptor(), target.size()).requireCovers(memory.guest().table());
    }
    dirtyLog = target;
  }

  // ---- what the back end is to know ----

  /**
   * Returns what the back end is to hold while the guest runs, from the model as it is.
   *
   * @throws VhostException if a ring lies outside of guest memory
   */
  DeviceConfig runningConfig(boolean memoryComplete) {
    return configuration.of(model, setting(0, memoryComplete));
  }

  private NetConfiguration.Setting setting(int generation, boolean memoryComplete) {
    return new NetConfiguration.Setting(
        device.capabilities(), dirtyLog, inflight.region(), generation, memoryComplete);
  }

  /** Something that a back end is to hold has changed in the model. */
  void modelChanged() {
    modelChanged = true;
  }

  /**
   * Whether the model or guest memory has changed since the last plan of a start or a change. If
   * not, no configuration need be built: most accesses of a driver (a queue select, a read) change
   * nothing that a back end sees.
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  boolean mayDiffer() {
    return modelChanged || memory.guest().table() != plannedMemory;
  }

  /**
   * Plans the start. A device that should not run (no driver, broken, link down) is stopped
   * instead. A device also is stopped, and needs a reset, if its driver put a ring where no memory
   * is, or if guest memory rules out the saved position of a ring.
   */
  Plan planStart(StartOrder order) {
    return planStart(order, false);
  }

  private Plan planStart(StartOrder order, boolean linkComesBack) {
    startWanted = true;
    modelChanged = false;
    plannedMemory = memory.guest().table();
    VhostException outside = model.live() ? configuration.ringOutside(model) : null;
    if (outside != null) {
      model.markBroken(String.valueOf(outside.getMessage()));
    }
    breakWhatCannotGoOn();
    Readiness now = readiness();
    if (now == Readiness.NOT_READY || (now == Readiness.LINK_LOST && !linkComesBack)) {
      return device.plan(stopped());
    }
    if (!running()) {
      indexes.requireRecovered();
      translations.lookAgain();
    }
    DeviceConfig desired = runningConfig(true);
    List<Translation> told = desired.translations();
    if (!running() && told != null && refusesApart(told)) {
      throw new VhostException(
          "%s is not started: the I/O virtual addresses up to 0x%x and from there on lead to memory that is apart, which a back end may take for one piece; this is refused because its options say so"
              .formatted(device.name(), apart(told).getFirst().iova()),
          Recovery.GIVE_UP);
    }
    return order.start(device.shadowNow(), desired, device.capabilities());
  }

  private boolean refusesApart(List<Translation> all) {
    return device.options().refusesApartMemory() && !apart(all).isEmpty();
  }

  private List<Translation> apart(List<Translation> all) {
    return ApartMemory.in(all, memory.guest().table());
  }

  /**
   * The source of a migration says which translations its back end has. Where the options refuse
   * memory that is apart, none of such a list is told early.
   */
  void expectTranslations(List<Translation> told) {
    if (memory.translated()) {
      translations.expect(refusesApart(told) ? List.of() : told);
    }
  }

  /** Whether the back end has asked for a translation that a plan has to tell it. No lock. */
  boolean planWanted() {
    return running() && translations.isPlanWanted();
  }

  /** The translations that were asked for, or that the source has told its back end. */
  List<Translation> askedTranslations() {
    return translations.asked();
  }

  /** Whether a ring of a running device is not served, because the guest has not mapped it yet. */
  boolean someRingWaits() {
    return configuration.someRingWaits(model, device.shadow(), device.capabilities());
  }

  /**
   * Checks a state that came from elsewhere, which no driver of this device has written.
   *
   * @throws VhostException if a ring of a device that is to run lies outside of guest memory
   */
  void requireRingsInMemory() {
    VhostException outside = ready() ? configuration.ringOutside(model) : null;
    if (outside != null) {
      throw outside;
    }
  }

  /**
   * Checks the positions in a state that came from elsewhere, whose source may still go on. A back
   * end that starts at a wrong position writes into memory that the guest uses for something else.
   *
   * @throws VhostException (GIVE_UP) if guest memory rules out the position in the saved state
   */
  void requirePossiblePositions() {
    int ring = indexes.ruledOut();
    if (ring >= 0) {
      throw new VhostException(
          "%s: the saved state and guest memory do not belong together: %s"
              .formatted(device.name(), indexes.whyRuledOut(ring)),
          Recovery.GIVE_UP);
    }
  }

  private void breakWhatCannotGoOn() {
    int overrun = indexes.overrun();
    if (overrun >= 0) {
      model.markBroken(indexes.whyOverrun(overrun)); // the driver's fault; QEMU does the same
    }
    int ring = indexes.ruledOut();
    if (ring >= 0) {
      model.markBroken("the saved state: " + indexes.whyRuledOut(ring));
    }
  }

  /** Prepares the next start, if possible. Returns whether it did. */
  boolean prepareStart(VirtioNetState early, Deadline deadline) {
    preparedStart = null;
    Carrier opened = device.connection();
    VirtioNet like = model.twin();
    like.restore(early);
    boolean runs = like.live() && like.linkUp() && configuration.ringOutside(like) == null;
    if (opened != null && runs) {
      DeviceConfig desired = configuration.of(like, setting(0, false));
      Plan plan = device.plan(desired);
      PreparedTransition start = PreparedTransition.of(plan, opened, device.shadow(), deadline);
      if (start != null) {
        preparedStart =
            new PreparedStart(
                like,
                start,
                desired.memory(),
                inflight.region(),
                desired.translations() == null ? List.of() : desired.translations());
      }
    }
    return preparedStart != null;
  }

  /** Prepares the next stop, if possible. */
  void prepareStop(Deadline deadline) {
    preparedStop = null;
    Carrier opened = device.connection();
    if (running() && opened != null) {
      Plan plan = device.plan(stopped());
      preparedStop = PreparedTransition.of(plan, opened, device.shadow(), deadline);
    }
  }

  /** Begins the prepared stop; null if there is none, or if it does not fit any more. */
  @Nullable Execution beginPreparedStop() {
    PreparedTransition prepared = preparedStop;
    preparedStop = null;
    if (prepared == null || !prepared.stillFits(device.shadow(), device.connection())) {
      return null;
    }
    startWanted = false;
    return begins(prepared.takeExecution());
  }

  /** Begins the prepared start; null if there is none, or if it does not fit any more. */
  @Nullable Execution beginPrepared() {
    PreparedStart prepared = preparedStart;
    Carrier opened = device.connection();
    if (prepared == null || opened == null || dirtyLog != null || !ready()) {
      return null;
    }
    Shadow held = device.shadowNow();
    if (indexes.mayNotGoOn()) {
      return null; // planStart says why
    }
    startWanted = true;
    if (!running()) {
      indexes.requireRecovered();
      translations.lookAgain();
    }
    List<Translation> mapped = configuration.translations(model, device.capabilities());
    if (mapped == null || refusesApart(mapped)) {
      return null; // planStart looks closer
    }
    Execution execution =
        prepared.completed(model, memory, held, inflight.region(), mapped, opened);
    return execution == null ? null : begins(execution);
  }

  /**
   * Plans a change at run time. If a plan would stop a ring and start it again, and this back end
   * leaves requests in flight when it stops, the device is stopped first: only then guest memory
   * shows where to go on.
   *
   * @throws VhostException if the stop failed
   */
  Plan planRefresh() {
    Plan plan = planStart(StartOrder.PLANNED);
    boolean again = device.capabilities().profile().stopLeavesRequestsInFlight();
    if (!again || !plan.goesOnWhereARingStops()) {
      return plan;
    }
    carryOut(device.plan(stopped())).orThrow();
    return planStart(StartOrder.PLANNED);
  }

  /** Plans the stop of a device that is to stay stopped. */
  Plan planStopForGood(StartOrder order) {
    startWanted = false;
    return order.stop(device.shadowNow(), stopped(), device.capabilities());
  }

  private DeviceConfig stopped() {
    return stopped(DeviceConfig.Lifecycle.STOPPED);
  }

  /** Has no rings, so that a device can be stopped whatever its driver has written there. */
  private DeviceConfig stopped(DeviceConfig.Lifecycle lifecycle) {
    return new DeviceConfig(lifecycle, 0, null, memory.guest().table(), null, List.of(), 0);
  }

  /**
   * Corrects the ring positions in the model after a stop that failed. A device that needs a reset
   * has no positions.
   *
   * @throws VhostException if that is not possible
   */
  void requireRingPositions() {
    if (!model.broken()) {
      indexes.requireRecovered();
    }
  }

  /** Plans presetup, or says why it is not possible. */
  PresetupPlanner.EarlyPlan planPresetup(PresetupMode mode, VirtioNetState early, int generation) {
    if (running()) {
      return PresetupPlanner.EarlyPlan.none(
          "the device runs: presetup would stop it, and is for one that is to be started");
    }
    return PresetupPlanner.plan(
        device, model, configuration, mode, early, setting(generation, false));
  }

  /**
   * For rehearsals: sets the device back to its state after presetup. Its back end is taken to hold
   * this, and a prepared start can be used again. What its guest memory says does not count,
   * because it has not arrived.
   *
   * @param changed whether the device counts as changed since its start was prepared
   */
  void rewind(Shadow held, boolean changed) {
    indexes.rehearse();
    connection.setState(DeviceState.PRESET);
    indexes.driverHasReset();
    device.rewind(held);
    translations.holds(held);
    if (preparedStart != null) {
      preparedStart.rewind(changed);
    }
  }

  // ---- to carry out plans ----

  /** Carries out a plan of this device alone. */
  Outcome carryOut(Plan plan) {
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    Execution execution = begin(plan, deadline);
    boolean ran = false;
    try {
      Flights.run(List.of(execution), deadline);
      ran = true;
    } finally {
      if (!ran) {
        presence.planEnds(planWanted());
      }
    }
    try {
      return takeOutcome(execution);
    } finally {
      planEnds();
    }
  }

  /** Begins a plan; {@link #takeOutcome} and {@link #planEnds} have to follow. */
  Execution begin(Plan plan, Deadline deadline) {
    BackEndProfile profile = device.capabilities().profile();
    Execution execution =
        device.begin(plan, deadline, (ring, answered) -> indexes.goesOnAt(ring, answered, profile));
    return begins(execution);
  }

  private Execution begins(Execution execution) {
    presence.planBegins();
    if (memory.translated()) {
      translations.planBegins(execution.plan().steps());
    }
    return execution;
  }

  /** The plan is over: the watch is woken, and a closed device releases its resources. */
  void planEnds() {
    presence.planEnds(planWanted());
    if (closed()) {
      release();
    }
  }

  /** Puts the outcome of a plan into the shadow and the model; {@link #planEnds} has to follow. */
  Outcome takeOutcome(Execution execution) {
    boolean mayRun = device.shadow().anyRingMayRun();
    boolean wasConnected = device.connection() != null;
    Outcome outcome = device.takeOutcome(execution);
    if (memory.translated()) {
      translations.planEnded(execution.plan().steps(), outcome.complete(), device.shadow());
    }
    if (!outcome.complete() && device.connected() && leftAsItWas(execution.plan(), outcome)) {
      if (running()) {
        startWanted = true; // the stop was never sent: the device runs and is to go on
      }
      return outcome;
    }
    inflight.keep(outcome.inflight());
    switch (execution.plan().lifecycle()) {
      case RUNNING -> {
        connection.setState(outcome.complete() ? DeviceState.RUNNING : DeviceState.STOPPED);
        if (mayRun || device.shadow().anyRingMayRun()) {
          indexes.served();
          inflight.served();
        }
      }
      case STOPPED, RESET -> {
        connection.setState(DeviceState.STOPPED);
        indexes.takeBases(execution.plan(), outcome, device.capabilities().profile());
      }
      case PRESET, PRESET_EXPLICIT ->
          connection.setState(outcome.complete() ? DeviceState.PRESET : DeviceState.CONNECTED);
    }
    VhostException failure = outcome.failure();
    // After a refusal at run time it is not known what the back end holds and whether it has
    // stopped. It may write into guest memory until its connection is closed. A back end that
    // refused presetup serves nothing yet, and the caller decides what comes next.
    boolean mayServe = !execution.plan().lifecycle().isEarly();
    if (failure != null && wasConnected && (mayServe || !device.connected())) {
      connection.lose(failure);
    }
    return noteRefused(outcome);
  }

  /** Whether no ring, and no memory, is other than before a plan that failed. */
  private static boolean leftAsItWas(Plan plan, Outcome outcome) {
    return outcome.stepsSent() == 0
        || (outcome.stepsSent() == outcome.stepsTaken()
            && plan.steps().stream()
                .limit(outcome.stepsTaken())
                .allMatch(one -> one.step() instanceof Step.Command));
  }

  private Outcome noteRefused(Outcome outcome) {
    List<RefusedBase> refused = indexes.takeRefused();
    refused.forEach(one -> device.observation().fallback(one.describe()));
    return refused.isEmpty() ? outcome : outcome.withRefused(refused);
  }

  // ---- what happens to driver and connection ----

  /**
   * The driver has reset the device: the back end stops, because the rings begin from the start.
   */
  void driverHasReset() {
    if (running()) {
      carryOut(device.plan(stopped(DeviceConfig.Lifecycle.RESET)));
    }
    Carrier opened = device.connection();
    if (opened != null) {
      opened.deviceWasReset();
    }
    indexes.driverHasReset();
    inflight.close();
    translations.driverHasReset();
    if (device.connected()) {
      presence.restoreLink(); // the old positions of the rings do not matter any more
    }
  }

  /** A saved state was loaded: it says where the rings are. */
  void stateWasRestored() {
    indexes.restored();
    inflight.otherRings();
    presence.stateWasRestored(device.connection() != null);
  }

  /** A ring has other eventfds: a prepared start would send the old ones. */
  void eventfdsChanged() {
    preparedStart = null;
  }

  NetConnection connection() {
    return connection;
  }

  /** Uses what another back end can do; see {@link NetNeeds#use}. */
  private void use(BackEndCapabilities offered) {
    translations.anotherBackEnd();
    int regions = memory.guest().table().regions().size();
    new NetNeeds(model, regions, dirtyLog != null, inflight.region() != null, memory.translated())
        .use(offered);
  }

  /**
   * Starts the device at a back end that was just connected. A lost link comes up only when the
   * device runs, so that the guest does not see a link that goes up and down while a back end
   * refuses again and again.
   *
   * @throws VhostException if it is not known where the rings were; the link is down until the
   *     driver has reset the device
   */
  Outcome startAnew() {
    Plan plan;
    try {
      plan = planStart(StartOrder.PLANNED, true);
    } catch (VhostException e) {
      presence.loseLink();
      throw e;
    }
    Outcome outcome = carryOut(plan);
    if (outcome.complete()) {
      presence.restoreLink();
    }
    return outcome;
  }

  boolean closed() {
    return connection.state() == DeviceState.CLOSED;
  }

  /**
   * Checks that the device is open, before anything is sent.
   *
   * @throws IllegalStateException if the device is closed
   */
  void requireOpen() {
    if (closed()) {
      throw new IllegalStateException(device.name() + ": closed");
    }
  }

  /** Closes the device: no plan begins any more. A plan that is under way keeps the connection. */
  void close() {
    connection.markClosed();
    startWanted = false;
  }

  /** Releases the resources of a closed device. A second call does nothing. */
  void release() {
    connection.drop(new VhostException("the device is closed", Recovery.GIVE_UP));
    inflight.close();
    if (!released) {
      released = true; // at a second call another device may have the model
      model.endService();
    }
  }
}
