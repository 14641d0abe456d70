package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.function.Function;
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
  private final RingIndexes indexes;
  private final BackEndPresence presence;
  private @Nullable DirtyLog dirtyLog;
  private @Nullable InflightRegion inflight;
  private boolean running;

  /** Whether the device is to run as soon as its driver, its link and its back end let it. */
  private boolean wanted;

  /** Whether a plan is under way that was begun side by side with others. */
  private boolean busy;

  private VhostNet(
      VirtioNet model, GuestMemory memory, List<RingNotifiers> notifiers, VhostDevice device) {
    this.model = model;
    this.memory = memory;
    this.notifiers = List.copyOf(notifiers);
    this.device = device;
    this.configuration = new NetConfiguration(device.name(), memory, this.notifiers);
    this.indexes = new RingIndexes(model, memory, configuration);
    this.presence = new BackEndPresence(model, this.notifiers);
    presence.connected(device.connection());
  }

  /**
   * Connects a device to its back end. What the back end cannot do is taken from what the model
   * offers to the guest, so this has to come before the guest looks.
   *
   * @param model of the device
   * @param memory the guest's; stays the embedder's
   * @param notifiers of each ring, the control queue left out; they stay the embedder's
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
    VhostDevice device =
        VhostDevice.connect(
            options,
            ring -> {
              if (ring < notifiers.size()) {
                notifiers.get(ring).call().signal();
              }
            });
    BackEndCapabilities can = device.capabilities();
    if (model.maxQueuePairs() > can.maxQueuePairs()) {
      device.close();
      throw new VhostException(
          "%s: the device has %d queue pairs, the back end serves %d"
              .formatted(options.name(), model.maxQueuePairs(), can.maxQueuePairs()),
          Recovery.GIVE_UP);
    }
    if (can.profile().stopsWholeDevice()) {
      // One ring's reset would stop all of them, and what they were about would be lost.
      model.withholdFeatures(NetFeature.RING_RESET.mask());
    }
    model.limitFeatures(can.features());
    VhostNet net = new VhostNet(model, memory, notifiers, device);
    model.onChange(net::changed);
    return net;
  }

  /**
   * A driver may reset its device and set it up again within one access. Both ends of that look the
   * same, and the rings begin anew: so the back end stops in between.
   */
  private synchronized void changed(DeviceChange change) {
    if (change == DeviceChange.QUEUE_RESET && running) {
      refreshOrWait(); // the driver may set the ring up again within the same access
    }
    if (change != DeviceChange.RESET) {
      return;
    }
    if (running) {
      fold(runAlone(planStop(DeviceConfig.Lifecycle.RESET), transitionDeadline()));
    }
    indexes.fresh();
    closeInflight();
    if (device.connected()) {
      presence.restoreLink(); // where the rings were does not matter any more
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
        device.capabilities(), dirtyLog, inflight, generation, memoryComplete);
  }

  // ---- presetup ----

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
    wanted = true;
    if (!shouldRun()) {
      return planStop(DeviceConfig.Lifecycle.STOPPED);
    }
    if (!running) {
      indexes.requireRecovered(inflight);
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
  private Plan planStop(DeviceConfig.Lifecycle lifecycle) {
    return device.plan(new DeviceConfig(lifecycle, 0, null, memory.table(), null, List.of(), 0));
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
    wanted = false;
    Plan plan = planStop(DeviceConfig.Lifecycle.STOPPED);
    return begun(order == StartOrder.QEMU ? QemuStartOrder.eachAwaited(plan) : plan, deadline);
  }

  /** The same for an early set-up: what was begun, or why not. */
  synchronized EarlyBeginning beginPresetup(
      PresetupMode mode, VirtioNetState early, int generation, Deadline deadline) {
    awaitIdle();
    PresetupPlanner.EarlyPlan planned =
        PresetupPlanner.plan(device, model, configuration, mode, early, setting(generation, false));
    return planned.plan() == null
        ? new EarlyBeginning(null, planned.why())
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
    presence.planBegins();
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
    try {
      return fold(execution);
    } finally {
      presence.planEnds();
    }
  }

  private Outcome fold(Execution execution) {
    boolean mayRun = device.shadow().anyRingMayRun();
    Outcome outcome = device.finish(execution);
    keepInflight(outcome.inflight());
    switch (execution.plan().lifecycle()) {
      case RUNNING -> {
        running = outcome.complete();
        if (mayRun || device.shadow().anyRingMayRun()) {
          indexes.served();
        }
      }
      case STOPPED, RESET -> {
        running = false;
        indexes.takeBases(execution.plan(), outcome, device.capabilities().profile());
      }
      case EARLY, EARLY_EXPLICIT -> {}
    }
    if (!device.connected()) {
      presence.disconnected();
      if (presence.isWatched() && outcome.failure() != null) {
        lose(outcome.failure());
      }
    }
    return outcome;
  }

  private void keepInflight(@Nullable InflightRegion made) {
    if (made != null) {
      closeInflight();
      inflight = made;
    }
  }

  private void closeInflight() {
    if (inflight != null) {
      inflight.file().close();
      inflight = null;
    }
  }

  // ---- a back end that goes, and comes again ----

  /**
   * Makes a new connection to the back end, in place of what is left of the old one, and starts the
   * device there as its model says: everything is told, in one go. A device that should not run is
   * only connected.
   *
   * @throws VhostException it cannot be reached
   */
  public synchronized Outcome reconnect() {
    awaitIdle();
    dropConnection();
    device.reconnect();
    presence.connected(device.connection());
    Deadline deadline = transitionDeadline();
    Outcome outcome = fold(runAlone(planStart(StartOrder.PLANNED), deadline));
    signalRings();
    return outcome;
  }

  /** A new connection of which nothing is asked yet, in place of one that is of no use any more. */
  synchronized void reconnectOnly() {
    dropConnection();
    device.reconnect();
    presence.connected(device.connection());
  }

  /** Another connection to the back end, for {@link #recover}. Takes its time, without the lock. */
  DeviceConnection openConnection() {
    return device.open();
  }

  /**
   * Goes on with a new connection after a loss: a device that ran, or that its driver has made live
   * since, is started there.
   *
   * @return whether it runs now
   * @throws VhostException the back end can less than before, did not take it, or where the rings
   *     were is not known (GIVE_UP); the link stays down
   */
  synchronized boolean recover(DeviceConnection opened) {
    boolean taken = false;
    try {
      awaitIdle();
      if (device.connected()) {
        return running; // somebody else was faster
      }
      dropConnection();
      taken = true;
      device.take(opened);
    } finally {
      if (!taken) {
        opened.close();
      }
    }
    boolean wasLost = presence.linkLost();
    presence.connected(device.connection());
    if (!wanted || !shouldRun()) {
      return false;
    }
    try {
      fold(runAlone(planStart(StartOrder.PLANNED), transitionDeadline())).orThrow();
    } catch (VhostException e) {
      if (wasLost) {
        presence.loseLink();
      }
      throw e;
    }
    signalRings();
    announce();
    return true;
  }

  /**
   * Serves what the back end asks, and looks whether it is still there. While a plan is under way,
   * which does both by itself, the watcher is told once that has ended.
   */
  void attend() {
    if (!presence.leaveToPlan()) {
      attendNow();
    }
  }

  private synchronized void attendNow() {
    DeviceConnection connection = device.connection();
    if (busy || connection == null) {
      return;
    }
    for (int i = 0; i < notifiers.size(); i++) {
      EventFd err = notifiers.get(i).err();
      if (err != null && err.drain() > 0) {
        device.options().events().ringFailed(i);
      }
    }
    VhostException over = connection.look(transitionDeadline());
    if (over != null) {
      lose(over);
    }
  }

  /** The connection is over: the guest sees its link down until there is another one. */
  private void lose(VhostException why) {
    dropConnection();
    presence.lost(why);
  }

  /** Before what the back end was doing is forgotten with its connection. */
  private void dropConnection() {
    if (device.shadow().anyRingMayRun()) {
      indexes.served();
    }
    running = false;
    presence.disconnected();
    device.disconnect();
  }

  /**
   * Pulls the guest's link, or puts it in again, and tells the back end. While the back end is gone
   * and watched for the guest sees it down in any case.
   *
   * @throws VhostException the back end did not take it
   */
  public synchronized void linkUp(boolean up) {
    awaitIdle();
    presence.embedderSets(up, device.connected());
    refreshOrWait();
  }

  /** Whether there is a connection on which something can still be said. */
  public synchronized boolean connected() {
    return device.connected();
  }

  /** What a watch needs to know. */
  BackEndPresence presence() {
    return presence;
  }

  private Execution runAlone(Plan plan, Deadline deadline) {
    presence.planBegins();
    try {
      Execution execution = device.begin(plan, deadline);
      SideBySide.run(List.of(execution), deadline);
      return execution;
    } finally {
      presence.planEnds();
    }
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
    wanted = false;
    Deadline deadline = Deadline.after(device.options().transitionWithin());
    return fold(runAlone(planStop(DeviceConfig.Lifecycle.STOPPED), deadline));
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
    if (!device.connected()) {
      reconnect().orThrow();
      return;
    }
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
    return presence.asIfPresent(model.snapshot());
  }

  /**
   * Takes a saved state in place of everything that the driver did; the back end is told nothing.
   *
   * @throws VhostException it does not fit this device
   */
  public synchronized void restore(VirtioNetState state) {
    model.restore(state);
    indexes.fresh();
    closeInflight();
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
    refreshOrWait();
  }

  /** A back end that is gone and watched for is no reason to fail what the guest does. */
  private void refreshOrWait() {
    try {
      refresh();
    } catch (VhostException e) {
      if (!presence.isWatched() || device.connected()) {
        throw e;
      }
      log.info("{}: waits for its back end: {}", name(), e.getMessage());
    }
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
      refreshOrWait();
    }
    return completed;
  }

  /**
   * Wakes both sides of every ring once: a kick or a call from before a stop may have been lost
   * with it.
   */
  public void signalRings() {
    boolean inBand = capabilities().notifiesInBand();
    for (int i = 0; i < notifiers.size(); i++) {
      if (inBand) {
        kickInBand(i);
      } else {
        notifiers.get(i).kick().signal();
      }
      notifiers.get(i).call().signal();
    }
  }

  /**
   * The guest has kicked a ring, and no ioeventfd has told the back end: it is told now, by eventfd
   * or, with INBAND_NOTIFICATIONS, by a message.
   */
  public void kick(int ring) {
    if (capabilities().notifiesInBand()) {
      kickInBand(ring);
    } else {
      notifiers.get(ring).kick().signal();
    }
  }

  private synchronized void kickInBand(int ring) {
    awaitIdle();
    if (running && device.shadow().ring(ring).run() == RingShadow.Run.STARTED) {
      device.kickInBand(ring);
    }
  }

  /**
   * Lets the embedder ask its back end what is no part of a plan (configuration space, shared
   * objects, state transfer), as the device's one owner.
   *
   * @throws VhostException (RECONNECT) there is no connection, or whatever the asking throws
   */
  public synchronized <T> T ask(Function<VhostUserFrontEnd, T> question) {
    awaitIdle();
    return question.apply(device.frontEnd());
  }

  /**
   * Tells the network where the guest is now: the back end is asked to send a RARP with the
   * device's current address, and the guest is asked to announce itself where it can.
   *
   * @return whether anybody was told
   */
  public synchronized boolean announce() {
    awaitIdle();
    boolean backEnd = device.sendRarp(model.mac().bytes());
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
    dropConnection();
    wanted = false;
    closeInflight();
  }
}
