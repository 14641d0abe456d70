package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio-net device whose queues a vhost back end serves: it makes of the device model, guest
 * memory and the ring notifiers what the back end is to know, and takes back what comes of it.
 *
 * <p>Whatever tells the back end something, or looks at what it was told, holds the device's lock,
 * which is its one serial owner: the thread that serves the control queue, the one that migrates
 * and the one that reconnects take turns. {@link VhostNetGroup} moves many devices side by side.
 */
public final class VhostNet implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostNet.class);

  private final VirtioNet model;
  private final GuestMemory memory;
  private final List<RingNotifiers> notifiers;
  private final VhostDevice device;
  private final NetConfiguration configuration;
  private @Nullable DirtyLog dirtyLog;
  private boolean running;

  /** Whether rings may have gone on since the model's indexes were right. */
  private boolean served;

  /** Whether a plan is under way that was begun side by side with others. */
  private boolean busy;

  private VhostNet(
      VirtioNet model, GuestMemory memory, List<RingNotifiers> notifiers, VhostDevice device) {
    this.model = model;
    this.memory = memory;
    this.notifiers = List.copyOf(notifiers);
    this.device = device;
    this.configuration = new NetConfiguration(device.name(), memory, this.notifiers);
  }

  /**
   * Connects a device to its back end. What the back end cannot do is taken from what the model
   * offers to the guest, so this has to come before the guest looks.
   *
   * @param model of the device
   * @param memory the guest's; stays the embedder's
   * @param notifiers one pair a ring, the control queue left out; they stay the embedder's
   * @param options where the back end is
   */
  public static VhostNet connect(
      VirtioNet model,
      GuestMemory memory,
      List<RingNotifiers> notifiers,
      VhostDeviceOptions options) {
    if (notifiers.size() < 2 * model.maxQueuePairs()) {
      throw new IllegalArgumentException(
          "%d notifiers for %d queue pairs".formatted(notifiers.size(), model.maxQueuePairs()));
    }
    VhostDevice device = VhostDevice.connect(options);
    if (model.maxQueuePairs() > device.capabilities().maxQueuePairs()) {
      int offered = device.capabilities().maxQueuePairs();
      device.close();
      throw new VhostException(
          "%s: the device has %d queue pairs, the back end serves %d"
              .formatted(options.name(), model.maxQueuePairs(), offered),
          Recovery.GIVE_UP);
    }
    model.limitFeatures(device.capabilities().features());
    VhostNet net = new VhostNet(model, memory, notifiers, device);
    model.onChange(net::changed);
    return net;
  }

  /**
   * A driver may reset its device and set it up again within one access. Both ends of that look the
   * same, and the rings begin anew: so the back end stops in between.
   */
  private synchronized void changed(DeviceChange change) {
    if (change == DeviceChange.RESET && running) {
      stop();
    }
  }

  /** The device's name. */
  public String name() {
    return device.name();
  }

  /** The device model. Only to be used by whoever owns the device at that time. */
  public VirtioNet model() {
    return model;
  }

  /** What the back end can do. */
  public synchronized BackEndCapabilities capabilities() {
    return device.capabilities();
  }

  /** What the back end is known to hold. */
  public synchronized Shadow shadow() {
    return device.shadow();
  }

  /** Whether the back end serves the rings, as far as this side knows. */
  public synchronized boolean running() {
    return running;
  }

  // ---- what the back end is to know ----

  /**
   * What the back end is to know while the guest runs, from the model as it is.
   *
   * @throws VhostException a ring lies outside of guest memory
   */
  public synchronized DeviceConfig running(boolean memoryComplete) {
    return configuration.of(model, setting(0, memoryComplete));
  }

  private NetConfiguration.Setting setting(int generation, boolean memoryComplete) {
    return new NetConfiguration.Setting(
        device.capabilities(), dirtyLog, generation, memoryComplete);
  }

  // ---- presetup ----

  /**
   * What presetup would tell, and to what end.
   *
   * @param plan to carry out; null: presetup is not possible
   * @param why not
   */
  record EarlyPlan(@Nullable Plan plan, @Nullable String why) {
    static EarlyPlan none(String why) {
      return new EarlyPlan(null, why);
    }
  }

  /**
   * Plans the early set-up from a state that was saved while the guest ran. The state is loaded
   * into a model of its own; neither the device's model nor guest memory is touched.
   */
  private EarlyPlan planPresetup(PresetupMode mode, VirtioNetState early, int generation) {
    if (!device.connected()) {
      return EarlyPlan.none("there is no connection to the back end");
    }
    BackEndCapabilities can = device.capabilities();
    if (mode == PresetupMode.EXPLICIT && !can.hasPresetup()) {
      return EarlyPlan.none(whyNotExplicit(can));
    }
    VirtioNet scratch = model.twin();
    try {
      scratch.restore(early);
      if ((scratch.status() & DeviceStatus.DRIVER_OK) == 0) {
        return EarlyPlan.none("the driver is not ready");
      }
      if (!scratch.linkUp()) {
        return EarlyPlan.none("the link is down");
      }
      if (NetFeature.ACCESS_PLATFORM.in(scratch.driverFeatures())) {
        return EarlyPlan.none("the device is behind a vIOMMU");
      }
      DeviceConfig full = configuration.of(scratch, setting(generation, false));
      DeviceConfig desired =
          mode == PresetupMode.EXPLICIT
              ? EarlyConfiguration.explicit(full)
              : EarlyConfiguration.implicit(full, can);
      return new EarlyPlan(device.plan(desired), null);
    } catch (VhostException e) {
      return EarlyPlan.none(String.valueOf(e.getMessage()));
    }
  }

  private static String whyNotExplicit(BackEndCapabilities can) {
    if (!can.dialect().hasPresetup()) {
      return "the dialect %s has no PRESETUP message".formatted(can.dialect().name());
    }
    return can.hasStatus()
        ? "the back end does not offer PRESETUP"
        : "the back end does not offer STATUS, without which nothing holds the rings";
  }

  /** A peer on which this device's stop window can be rehearsed; the caller closes it. */
  public synchronized RehearsalPeer rehearsalPeer() {
    return new RehearsalPeer(device.options(), device.capabilities());
  }

  /**
   * Walks the code of the stop window once, against a peer that is no back end, so that none of it
   * is loaded or compiled for the first time while a guest is stopped. Neither the back end, nor
   * the device's model, nor guest memory is touched.
   *
   * @param early a state of this device
   * @param peer made by {@link #rehearsalPeer}
   * @return rings that would have been started
   */
  public synchronized int rehearse(VirtioNetState early, RehearsalPeer peer) {
    VirtioNet scratch = model.twin();
    scratch.restore(early);
    DeviceConfig desired = configuration.of(scratch, setting(0, false));
    Plan plan = device.plan(desired);
    Deadline deadline = transitionDeadline();
    Execution execution = new VhostUserOps(peer.channel()).begin(plan, deadline);
    SideBySide.run(List.of(execution), deadline);
    Outcome outcome = execution.outcome().orThrow();
    return device.shadow().after(plan, outcome).rings().size();
  }

  // ---- transitions, each begun and finished so that many devices can go side by side ----

  /** A device that should not run (no driver, broken, link down) is stopped instead. */
  private Plan planStart(StartOrder order) {
    if (!shouldRun()) {
      return planStop();
    }
    if (!running) {
      takeUsedIndexes();
    }
    DeviceConfig desired = running(true);
    return switch (order) {
      case PLANNED -> device.plan(desired);
      case QEMU -> QemuStartOrder.plan(desired, device.capabilities());
    };
  }

  private boolean shouldRun() {
    return model.live() && model.linkUp();
  }

  /** Says nothing of the rings: a device can be stopped whatever its driver has written there. */
  private Plan planStop() {
    return device.plan(
        new DeviceConfig(
            DeviceConfig.Lifecycle.STOPPED, 0, null, memory.table(), null, List.of(), 0));
  }

  /**
   * Plans and begins in one step, so that nothing comes between what was planned upon and what is
   * told. The plan goes on without the lock, side by side with other devices'; until {@link
   * #finish} the connection is that plan's alone, and whoever else wants it waits.
   */
  synchronized Execution beginStart(StartOrder order, Deadline deadline) {
    awaitIdle();
    return begun(planStart(order), deadline);
  }

  /** The same for a stop. */
  synchronized Execution beginStop(StartOrder order, Deadline deadline) {
    awaitIdle();
    Plan plan = planStop();
    return begun(order == StartOrder.QEMU ? QemuStartOrder.eachAwaited(plan) : plan, deadline);
  }

  /** The same for an early set-up: what was begun, or why not. */
  synchronized EarlyBeginning beginPresetup(
      PresetupMode mode, VirtioNetState early, int generation, Deadline deadline) {
    awaitIdle();
    EarlyPlan planned = planPresetup(mode, early, generation);
    return planned.plan() == null
        ? new EarlyBeginning(null, String.valueOf(planned.why()))
        : new EarlyBeginning(begun(planned.plan(), deadline), "");
  }

  /**
   * An early set-up that was begun, or not.
   *
   * @param execution null: it was not
   * @param why not
   */
  record EarlyBeginning(@Nullable Execution execution, String why) {}

  private Execution begun(Plan plan, Deadline deadline) {
    Execution execution = device.begin(plan, deadline);
    busy = true;
    return execution;
  }

  /**
   * Waits until no plan is under way that another thread began; at most as long as one may take.
   * Waiting lets go of the lock, so this comes before anything is looked at.
   */
  private void awaitIdle() {
    Deadline deadline = presetupDeadline();
    while (busy) {
      long millis = deadline.remainingNanos() / 1_000_000;
      if (millis <= 0) {
        throw new VhostException(
            name() + ": another transition of the device is still under way", Recovery.RETRY);
      }
      try {
        wait(millis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new VhostException(
            name() + ": interrupted while another transition was under way", Recovery.RETRY, e);
      }
    }
  }

  synchronized Outcome finish(Execution execution) {
    busy = false;
    notifyAll();
    return fold(execution);
  }

  private Outcome fold(Execution execution) {
    Outcome outcome = device.finish(execution);
    switch (execution.plan().lifecycle()) {
      case RUNNING -> {
        running = outcome.complete();
        served |= device.shadow().anyRingMayRun();
      }
      case STOPPED -> takeBases(execution.plan(), outcome);
      case EARLY, EARLY_EXPLICIT -> {}
    }
    return outcome;
  }

  /**
   * Where the rings stopped goes into the model. A ring whose back end did not say is taken up
   * where guest memory says that it got to (split rings): what lay between is served again. A
   * driver that reset the device begins anew, wherever its rings stopped.
   */
  private void takeBases(Plan plan, Outcome outcome) {
    running = false;
    takeUsedIndexes();
    for (int i = 0; i < plan.steps().size(); i++) {
      if (plan.steps().get(i).step() instanceof Step.StopRing(int ring) && isSetUp(ring)) {
        Integer base = outcome.baseOf(i);
        if (base != null) {
          model.setNextIndex(ring, indexOf(base));
        }
      }
    }
  }

  private boolean isSetUp(int ring) {
    return ring < 2 * model.backEndQueuePairs() && model.queue(ring).isSetUp();
  }

  private RingIndex indexOf(int base) {
    RingIndex index = RingIndex.fromVhostBase(base, model.packed());
    if (!index.isPacked() || device.capabilities().profile().packedBaseCarriesUsed()) {
      return index;
    }
    // This back end drains a ring before it answers, so both halves are the same.
    return RingIndex.packed(index.avail(), index.availWrap(), index.avail(), index.availWrap());
  }

  /**
   * What a back end did that may be gone is what the used rings say. A packed ring says nothing of
   * the kind: its index stays where it was.
   */
  private void takeUsedIndexes() {
    for (int i = 0; served && !model.packed() && i < 2 * model.backEndQueuePairs(); i++) {
      QueueState queue = model.queue(i);
      if (queue.isSetUp()) {
        model.setNextIndex(i, RingIndex.split(configuration.usedIndex(queue)));
      }
    }
    served = false;
  }

  /**
   * Starts the device at a back end that just came: everything is told, in one go. A device that
   * should not run is only connected.
   *
   * @throws VhostException it cannot be reached
   */
  public synchronized Outcome reconnect() {
    awaitIdle();
    Deadline deadline = transitionDeadline();
    running = false;
    device.reconnect();
    Plan plan = planStart(StartOrder.PLANNED);
    Outcome outcome = fold(runAlone(plan, deadline));
    signalRings();
    return outcome;
  }

  /** A new connection of which nothing is asked yet, in place of one that is of no use any more. */
  synchronized void reconnectOnly() {
    device.reconnect();
  }

  private Execution runAlone(Plan plan, Deadline deadline) {
    Execution execution = device.begin(plan, deadline);
    SideBySide.run(List.of(execution), deadline);
    return execution;
  }

  // ---- alone, at run time ----

  /**
   * Starts the device as the model says, and signals its rings.
   *
   * @throws VhostException the back end did not take it
   */
  public synchronized Outcome start() {
    awaitIdle();
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    Outcome outcome = fold(runAlone(planStart(StartOrder.PLANNED), deadline)).orThrow();
    signalRings();
    return outcome;
  }

  /** Stops the device; where its rings stopped is in the model then. */
  public synchronized Outcome stop() {
    awaitIdle();
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    return fold(runAlone(planStop(), deadline));
  }

  /**
   * Tells a running back end what changed in the model, or in guest memory. A device that should
   * not run any more (reset, link down) is stopped.
   *
   * @return what was told; its plan may be empty
   * @throws VhostException the back end did not take it
   */
  public synchronized Plan refresh() {
    awaitIdle();
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    Plan plan = planStart(StartOrder.PLANNED);
    if (!plan.isEmpty()) {
      fold(runAlone(plan, deadline)).orThrow();
      if (shouldRun()) {
        signalRings();
      }
      log.debug("{}: refreshed\n{}", name(), plan.describe());
    }
    return plan;
  }

  /**
   * Switches the back end's dirty log on, to another bitmap, or off.
   *
   * @param target stays the caller's and has to stay open until the log was switched off or the
   *     device stopped; null: off
   * @throws VhostException the back end cannot log (GIVE_UP), or did not take it
   */
  public synchronized void logTo(@Nullable DirtyLog target) {
    if (target != null && !device.capabilities().canLog()) {
      throw new VhostException(
          name()
              + ": the back end cannot log the pages that it writes (VHOST_F_LOG_ALL, LOG_SHMFD)",
          Recovery.GIVE_UP);
    }
    awaitIdle();
    dirtyLog = target;
    if (running) {
      refresh();
    }
  }

  /**
   * Whatever a migration has left of the device, it goes on here, without a dirty log: what is
   * still told differently is told, a device that was stopped is started, and one whose back end
   * went away is connected anew.
   *
   * @throws VhostException it could not be brought back; the rest of the VM may go on without it
   */
  public synchronized void runOn() {
    awaitIdle();
    dirtyLog = null;
    try {
      refresh();
    } catch (VhostException e) {
      log.warn("{}: connecting anew: {}", name(), e.getMessage());
      reconnect().orThrow();
    }
  }

  /** The bitmap is about to be closed, and this device, stopped or given up, writes no more. */
  public synchronized void forgetLog() {
    dirtyLog = null;
  }

  /** Everything that a migration carries for the device, as it is now. */
  public synchronized VirtioNetState snapshot() {
    return model.snapshot();
  }

  /**
   * Takes a saved state in place of everything that the driver did; the back end is told nothing.
   *
   * @throws VhostException it does not fit this device
   */
  public synchronized void restore(VirtioNetState state) {
    model.restore(state);
    served = false;
  }

  /**
   * Runs register accesses of the driver, or changes of the VMM's to the model, as the device's one
   * owner, then tells the back end what they change: a device is started as its driver sets
   * DRIVER_OK, and stopped as it resets it.
   *
   * @throws VhostException the back end did not take it
   */
  public synchronized void access(Runnable accesses) {
    awaitIdle();
    accesses.run();
    refresh();
  }

  /**
   * The guest has kicked the control queue: its commands are carried out, and the back end is told
   * what they change.
   *
   * @return commands completed; where there were any, the caller interrupts the guest
   */
  public synchronized int serviceControlQueue() {
    awaitIdle();
    int completed = model.serviceControlQueue(memory);
    if (completed > 0 && running) {
      refresh();
    }
    return completed;
  }

  /**
   * Wakes both sides of every ring once: a kick or a call from before a stop may have been lost
   * with it.
   */
  public void signalRings() {
    for (RingNotifiers notifier : notifiers) {
      notifier.kick().signal();
      notifier.call().signal();
    }
  }

  /**
   * Tells the network where the guest is now: the back end is asked to send a RARP with the
   * device's current address, and the guest is asked to announce itself where it can.
   *
   * @return whether anybody was told
   */
  public synchronized boolean announce() {
    awaitIdle();
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    boolean backEnd = device.sendRarp(model.mac().bytes(), deadline);
    boolean guest = model.requestAnnounce();
    return backEnd || guest;
  }

  /** How long a transition of this device may take. */
  Deadline transitionDeadline() {
    return Deadline.after(device.options().transitionWithin());
  }

  /** How long presetup of this device may take. */
  Deadline presetupDeadline() {
    return Deadline.after(device.options().presetupWithin());
  }

  /** Closes the connection. Model, memory and notifiers are not touched. */
  @Override
  public synchronized void close() {
    device.close();
    running = false;
  }
}
