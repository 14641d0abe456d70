package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RefusedBase;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a virtio-net device gets from one state to another: what its back end is to know, planned
 * from the model, guest memory and the notifiers; and what came of it, folded back into the model.
 *
 * <p>Whether the device runs is several questions:
 *
 * <pre>
 *   wanted             start was asked for, and stop for good has not been since
 *   shouldRun          driver and link let it run now
 *   mayRunAgain        the same, a link not counted that is down because the back end had gone
 *   waitsForBackEnd    wanted, and it may run again: another back end is worth an attempt
 *   running            a back end was told to serve the rings, and has taken it ({@link DeviceState})
 *
 *   planStart          wanted from here on; to running where it should run, else stopped
 *   startAnew          the same where it may run again; the link comes back with it
 *   planStop           to stopped, and wanted stays: a reset, a change, a link that was pulled
 *   planStopForGood    to stopped, and not wanted any more: a migration, the embedder
 * </pre>
 *
 * <p>Guarded by the lock of its {@link VhostNet}, which says who may when.
 */
final class NetTransitions {
  private final DeviceLock lock;
  private final VirtioNet model;
  private final GuestMemory memory;
  private final VhostDevice device;
  private final NetConfiguration configuration;
  private final RingIndexes indexes;
  private final BackEndPresence presence;
  private final KeptInflight inflight = new KeptInflight();
  private final NetConnection connection;
  private @Nullable DirtyLog dirtyLog;

  /** Whether nothing is left of a closed device. */
  private boolean released;

  // The next start and the next stop, made ahead of time; null: they were not.
  private @Nullable PreparedStart preparedStart;
  private @Nullable PreparedTransition preparedStop;

  /** Whether the device is to run as soon as its driver, its link and its back end let it. */
  private boolean wanted;

  /** Whether the model has changed, in what a back end is to hold, since it was last planned. */
  private boolean modelChanged = true;

  /** Guest memory at that time. */
  private MemoryTable plannedMemory = MemoryTable.EMPTY;

  /** Whether the guest runs on another host now, or may. */
  private boolean handedOver;

  NetTransitions(
      VirtioNet model,
      GuestMemory memory,
      NotifierTable notifiers,
      VhostDevice device,
      DeviceLock lock) {
    this.lock = lock;
    this.model = model;
    this.memory = memory;
    this.device = device;
    this.configuration = new NetConfiguration(device.name(), memory, notifiers);
    this.indexes = new RingIndexes(model, memory, configuration, inflight);
    this.presence = new BackEndPresence(model, notifiers);
    this.connection = new NetConnection(device, presence, indexes, this::use);
  }

  // ---- whose turn it is ----

  /**
   * Waits until it is the caller's turn to send the back end something, with the lock held.
   *
   * @throws IllegalStateException the device is closed, its guest was migrated away, or one of
   *     {@link BackEndEvents} asks, for which the back end waits
   */
  void takeTurn() {
    requireOpen();
    Carrier opened = device.connection();
    if (opened != null && opened.isServingHere()) {
      throw new IllegalStateException(
          device.name()
              + ": BackEndEvents answers the back end on this thread, so nothing can be told to it"
              + " before that returns; leave it to a thread of your own");
    }
    lock.await();
    requireOpen(); // waiting lets go of the lock
    if (handedOver) {
      throw new IllegalStateException(
          device.name()
              + ": its guest was migrated and runs on another host; close this device, or restore a"
              + " state into it");
    }
  }

  /** The guest was migrated away: it is nobody's turn here any more. */
  void handedOver() {
    handedOver = true;
  }

  /** The device has taken up another state, and so belongs to a guest of this host. */
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

  /** Whether driver and link let the device run. */
  boolean shouldRun() {
    return model.live() && model.linkUp();
  }

  /** The same, once a link that is down only because the back end had gone comes back. */
  private boolean mayRunAgain() {
    return model.live() && (model.linkUp() || presence.linkLost());
  }

  /** Whether it would run if there were a back end. */
  boolean waitsForBackEnd() {
    return wanted && mayRunAgain();
  }

  void logTo(@Nullable DirtyLog target) {
    dirtyLog = target;
  }

  // ---- what the back end is to know ----

  /**
   * What it is to know while the guest runs, from the model as it is.
   *
   * @throws VhostException a ring lies outside of guest memory
   */
  DeviceConfig runningConfig(boolean memoryComplete) {
    return configuration.of(model, setting(0, memoryComplete));
  }

  private NetConfiguration.Setting setting(int generation, boolean memoryComplete) {
    return new NetConfiguration.Setting(
        device.capabilities(), dirtyLog, inflight.region(), generation, memoryComplete);
  }

  /** The model has changed in what a back end is to hold. */
  void modelChanged() {
    modelChanged = true;
  }

  /**
   * Whether model or guest memory have changed since a start or a change was planned last. Where
   * they have not, no configuration need be built: most accesses of a driver (a queue select, a
   * read) change nothing that a back end sees.
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  boolean mayDiffer() {
    return modelChanged || memory.table() != plannedMemory;
  }

  /**
   * How it gets there. A device that should not run (no driver, broken, link down) is stopped
   * instead; so is one whose driver put a ring where no memory is, or whose saved state says that a
   * ring goes on where guest memory shows that it cannot: these need a reset then.
   */
  Plan planStart(StartOrder order) {
    return planStart(order, false);
  }

  private Plan planStart(StartOrder order, boolean linkComesBack) {
    wanted = true;
    modelChanged = false;
    plannedMemory = memory.table();
    VhostException outside = model.live() ? configuration.ringOutside(model) : null;
    if (outside != null) {
      model.markBroken(String.valueOf(outside.getMessage()));
    }
    breakWhatCannotGoOn();
    if (!(linkComesBack ? mayRunAgain() : shouldRun())) {
      return device.plan(stopped());
    }
    if (!running()) {
      indexes.requireRecovered();
    }
    DeviceConfig desired = runningConfig(true);
    return order.start(device.shadow(), desired, device.capabilities());
  }

  /**
   * For a state that came from elsewhere, which no driver of this device has written.
   *
   * @throws VhostException a ring of a device that is to run lies outside of guest memory
   */
  void requireRingsInMemory() {
    VhostException outside = shouldRun() ? configuration.ringOutside(model) : null;
    if (outside != null) {
      throw outside;
    }
  }

  /**
   * For a state that came from elsewhere, whose source may still go on: a back end that starts at a
   * wrong place writes into memory that the guest uses for something else.
   *
   * @throws VhostException (GIVE_UP) guest memory shows that the device cannot be where its saved
   *     state says
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
      model.markBroken(indexes.whyOverrun(overrun)); // the driver's own doing, as in QEMU
    }
    int ring = indexes.ruledOut();
    if (ring >= 0) {
      model.markBroken("the saved state: " + indexes.whyRuledOut(ring));
    }
  }

  /** Makes the next start ahead of time, if that can be done; whether it was. */
  boolean prepareStart(VirtioNetState early, Deadline deadline) {
    preparedStart = null;
    Carrier opened = device.connection();
    VirtioNet like = model.twin();
    like.restore(early);
    boolean runs = like.live() && like.linkUp() && configuration.ringOutside(like) == null;
    if (opened != null && runs) {
      Plan plan = device.plan(configuration.of(like, setting(0, false)));
      PreparedTransition start = PreparedTransition.of(plan, opened, device.shadow(), deadline);
      if (start != null) {
        preparedStart = PreparedStart.of(like, start, memory.table(), inflight.region());
      }
    }
    return preparedStart != null;
  }

  /** Makes the next stop ahead of time, if that can be done. */
  void prepareStop(Deadline deadline) {
    preparedStop = null;
    Carrier opened = device.connection();
    if (running() && opened != null) {
      Plan plan = device.plan(stopped());
      preparedStop = PreparedTransition.of(plan, opened, device.shadow(), deadline);
    }
  }

  /** The stop that was made ahead of time, begun; null: there is none that is still right. */
  @Nullable Execution beginPreparedStop() {
    PreparedTransition prepared = preparedStop;
    preparedStop = null;
    if (prepared == null || !prepared.isRight(device.shadow(), device.connection())) {
      return null;
    }
    wanted = false;
    presence.planBegins();
    return prepared.use();
  }

  /** The start that was made ahead of time, begun; null: there is none that is still right. */
  @Nullable Execution beginPrepared() {
    PreparedStart prepared = preparedStart;
    Carrier opened = device.connection();
    if (prepared == null || opened == null || dirtyLog != null || !shouldRun()) {
      return null;
    }
    if (indexes.ruledOut() >= 0 || indexes.overrun() >= 0) {
      return null; // the long way says why
    }
    wanted = true;
    if (!running()) {
      indexes.requireRecovered();
    }
    Execution execution =
        prepared.completed(model, memory, device.shadow(), inflight.region(), opened);
    if (execution != null) {
      presence.planBegins();
    }
    return execution;
  }

  /**
   * How a change at run time gets to the back end. Where a ring would have to go on in the same
   * plan in which it stops, and this back end leaves requests in flight there, the device is
   * stopped first: only then does guest memory say where to go on.
   *
   * @throws VhostException the stop failed
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

  /** How a device stops that is to stay so, whatever its back end does. */
  Plan planStopForGood(StartOrder order) {
    wanted = false;
    return order.stop(device.shadow(), stopped(), device.capabilities());
  }

  private DeviceConfig stopped() {
    return stopped(DeviceConfig.Lifecycle.STOPPED);
  }

  /** Says nothing of the rings: a device can be stopped whatever its driver has written there. */
  private DeviceConfig stopped(DeviceConfig.Lifecycle lifecycle) {
    return new DeviceConfig(lifecycle, 0, null, memory.table(), null, List.of(), 0);
  }

  /**
   * The model is made right, if a stop that failed has left it behind. In a device that needs a
   * reset nobody goes on.
   *
   * @throws VhostException that is not possible
   */
  void requireRingPositions() {
    if (!model.broken()) {
      indexes.requireRecovered();
    }
  }

  /** How its back end is set up early, or why it is not. */
  PresetupPlanner.EarlyPlan planPresetup(PresetupMode mode, VirtioNetState early, int generation) {
    return PresetupPlanner.plan(
        device, model, configuration, mode, early, setting(generation, false));
  }

  /**
   * For rehearsals: the device has not been started, its back end holds this, and a start that was
   * made ahead of time is there again, too.
   */
  void rewind(Shadow held) {
    indexes.rehearse();
    connection.is(DeviceState.PRESET);
    indexes.fresh();
    device.rewind(held);
    if (preparedStart != null) {
      preparedStart.rewind();
    }
  }

  // ---- telling it ----

  /** Carries out a plan, alone. */
  Outcome carryOut(Plan plan) {
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    Execution execution = begin(plan, deadline);
    boolean ran = false;
    try {
      Flights.run(List.of(execution), deadline);
      ran = true;
    } finally {
      if (!ran) {
        presence.planEnds();
      }
    }
    return finish(execution);
  }

  /** Begins one; {@link #finish} has to follow. */
  Execution begin(Plan plan, Deadline deadline) {
    BackEndProfile profile = device.capabilities().profile();
    Execution execution =
        device.begin(plan, deadline, (ring, answered) -> indexes.goesOnAt(ring, answered, profile));
    presence.planBegins();
    return execution;
  }

  /** Takes up what became of it. */
  Outcome finish(Execution execution) {
    try {
      return fold(execution);
    } finally {
      planEnds();
    }
  }

  /** The plan is over for everybody: the watch is told, and a device that was closed is let go. */
  void planEnds() {
    presence.planEnds();
    if (closed()) {
      release();
    }
  }

  /** Takes up what became of a plan; {@link #planEnds} has to follow. */
  Outcome fold(Execution execution) {
    boolean mayRun = device.shadow().anyRingMayRun();
    boolean wasConnected = device.connection() != null;
    Outcome outcome = device.finish(execution);
    if (outcome.stepsTold() == 0 && !outcome.complete() && device.connected()) {
      if (running()) {
        wanted = true; // a stop that was never told: the device runs, and is to go on
      }
      return outcome;
    }
    inflight.keep(outcome.inflight());
    switch (execution.plan().lifecycle()) {
      case RUNNING -> {
        connection.is(outcome.complete() ? DeviceState.RUNNING : DeviceState.STOPPED);
        if (mayRun || device.shadow().anyRingMayRun()) {
          indexes.served();
          inflight.served();
        }
      }
      case STOPPED, RESET -> {
        connection.is(DeviceState.STOPPED);
        indexes.takeBases(execution.plan(), outcome, device.capabilities().profile());
      }
      case EARLY, EARLY_EXPLICIT ->
          connection.is(outcome.complete() ? DeviceState.PRESET : DeviceState.CONNECTED);
    }
    VhostException failure = outcome.failure();
    // What a back end holds that refused something at run time is not known, nor whether it has
    // stopped: it may still write into guest memory until its connection is closed. One that
    // refused an early set-up serves nothing yet, and whoever set it up decides what comes next.
    boolean mayServe = !execution.plan().lifecycle().isEarly();
    if (failure != null && wasConnected && (mayServe || !device.connected())) {
      connection.lose(failure);
    }
    return noteRefused(outcome);
  }

  private Outcome noteRefused(Outcome outcome) {
    List<RefusedBase> refused = indexes.takeRefused();
    refused.forEach(one -> device.observation().fallback(one.describe()));
    return refused.isEmpty() ? outcome : outcome.withRefused(refused);
  }

  // ---- what happens to driver and connection ----

  /** The driver has reset the device: its rings begin anew, so the back end stops in between. */
  void driverHasReset() {
    if (running()) {
      carryOut(device.plan(stopped(DeviceConfig.Lifecycle.RESET)));
    }
    Carrier opened = device.connection();
    if (opened != null) {
      opened.deviceWasReset();
    }
    indexes.fresh();
    inflight.close();
    if (device.connected()) {
      presence.restoreLink(); // where the rings were does not matter any more
    }
  }

  /** A saved state was loaded: it says where the rings are. */
  void stateWasRestored() {
    indexes.restored();
    inflight.otherRings();
    presence.stateWasRestored(device.connection() != null);
  }

  /** A ring has other eventfds: a start that was made ahead of time would tell those before. */
  void notifiersChanged() {
    preparedStart = null;
  }

  NetConnection connection() {
    return connection;
  }

  /** Makes use of what another back end can do; see {@link NetNeeds#use}. */
  private void use(BackEndCapabilities offered) {
    int regions = memory.table().regions().size();
    new NetNeeds(model, regions, dirtyLog != null, inflight.region() != null).use(offered);
  }

  /**
   * Starts the device at a back end of which nothing was asked yet. Its link, if it was lost, comes
   * back when it runs: a guest whose back end refuses it again and again does not see a link that
   * comes and goes.
   *
   * @throws VhostException where the rings were is not known; the link is down until the driver has
   *     reset the device
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
   * For whatever would tell the back end something.
   *
   * @throws IllegalStateException the device is closed
   */
  void requireOpen() {
    if (closed()) {
      throw new IllegalStateException(device.name() + ": closed");
    }
  }

  /** The end: from here on nothing begins. What is under way has the connection until it ends. */
  void close() {
    connection.closes();
    wanted = false;
  }

  /** Closes what a closed device still has. A second time does nothing. */
  void release() {
    connection.drop(new VhostException("the device is closed", Recovery.GIVE_UP));
    inflight.close();
    if (!released) {
      released = true; // another device may have the model by the second time
      model.endService();
    }
  }
}
