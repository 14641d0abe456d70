package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.Restoration;
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
  private final NetTransitions transitions;

  /** Whether a plan is under way that was begun side by side with others. */
  private boolean busy;

  private VhostNet(
      VirtioNet model, GuestMemory memory, List<RingNotifiers> notifiers, VhostDevice device) {
    this.model = model;
    this.memory = memory;
    this.notifiers = List.copyOf(notifiers);
    this.device = device;
    this.transitions = new NetTransitions(model, memory, this.notifiers, device);
  }

  /**
   * Connects a device to its back end. What the back end cannot do is taken from what the model
   * offers to the guest, so this has to come before the guest looks.
   *
   * @param model of the device
   * @param memory the guest's; stays the embedder's
   * @param notifiers of each ring, the control queue left out; they stay the embedder's
   * @param options where the back end is
   * @return the device, connected and not started; the caller's to close
   * @throws VhostException there is no such socket (RETRY), or the back end cannot serve the device
   *     (GIVE_UP)
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
   * A driver may reset its device, or a ring, and set it up again within one access. Both ends of
   * that look the same, so the back end hears of it in between.
   */
  private synchronized void changed(DeviceChange change) {
    if (change == DeviceChange.RESET) {
      transitions.driverHasReset();
    } else if (change == DeviceChange.QUEUE_RESET && transitions.running()) {
      refreshOrWait();
    }
  }

  /** {@return the device's name} */
  public String name() {
    return device.name();
  }

  /** {@return the device model} Only to be used by whoever owns the device at that time. */
  public VirtioNet model() {
    return model;
  }

  /** {@return what the back end can do} */
  public synchronized BackEndCapabilities capabilities() {
    return device.capabilities();
  }

  /** {@return what the back end is known to hold} */
  public synchronized Shadow shadow() {
    return device.shadow();
  }

  /** {@return whether the back end serves the rings, as far as this side knows} */
  public synchronized boolean running() {
    return transitions.running();
  }

  /**
   * {@return what the back end is to know while the guest runs, from the model as it is}
   *
   * @param memoryComplete whether guest memory may be looked at, for the used indexes of split
   *     rings
   * @throws VhostException a ring lies outside of guest memory
   */
  public synchronized DeviceConfig running(boolean memoryComplete) {
    return transitions.runningConfig(memoryComplete);
  }

  // ---- presetup ----

  /**
   * A device like this one, at a back end that is none, on which the stop window can be rehearsed.
   * This device, its back end and guest memory are not touched.
   *
   * @return the caller's to close
   */
  public synchronized RehearsalDevice rehearsal() {
    return new RehearsalDevice(device.options(), device.capabilities(), model.twin(), memory);
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
  public synchronized boolean prepareStart(VirtioNetState early) {
    awaitIdle();
    return transitions.prepareStart(early, transitionDeadline());
  }

  /** For {@link RehearsalDevice}: see {@link NetTransitions#rewind}. */
  synchronized void rewind(Shadow held, boolean prepared) {
    transitions.rewind(held, prepared);
  }

  // ---- transitions, each begun and finished so that many devices can go side by side ----

  /**
   * Plans and begins in one step, so that nothing comes between what was planned upon and what is
   * told. The plan goes on without the lock, side by side with other devices'; until {@link
   * #finish} the connection is that plan's alone, and whoever else wants it waits.
   */
  synchronized Execution beginStart(StartOrder order) {
    awaitIdle();
    Execution prepared = order == StartOrder.PLANNED ? transitions.beginPrepared() : null;
    if (prepared != null) {
      busy = true;
      return prepared;
    }
    return begun(transitions.planStart(order), transitionDeadline());
  }

  /** Makes the next stop ahead of time, while the guest still runs, if that can be done. */
  synchronized void prepareStop() {
    awaitIdle();
    transitions.prepareStop(transitionDeadline());
  }

  /** What was made by {@link #prepareStop}, begun; null: there is nothing that is still right. */
  synchronized @Nullable PreparedExecution beginPreparedStop() {
    awaitIdle();
    PreparedExecution prepared = transitions.beginPreparedStop();
    busy |= prepared != null;
    return prepared;
  }

  /** See {@link NetTransitions#takeBases}; {@link #finish} still has to follow. */
  synchronized void takeBases(PreparedExecution stopped) {
    transitions.takeBases(stopped);
  }

  /**
   * Makes sure that the model says where the device goes on in each ring, after a stop that may
   * have failed; for whoever stopped it. Makes no object where the back end has said it.
   *
   * @throws VhostException (GIVE_UP) of packed rings that is not known; nobody may serve them then
   *     until the driver has reset the device
   */
  synchronized void requireRingPositions() {
    transitions.requireRingPositions();
  }

  /** The same for a stop. */
  synchronized Execution beginStop(StartOrder order, Deadline deadline) {
    awaitIdle();
    Plan plan = transitions.planStopForGood();
    return begun(order == StartOrder.QEMU ? QemuStartOrder.eachAwaited(plan) : plan, deadline);
  }

  /** The same for an early set-up: what was begun, or why not. */
  synchronized EarlyBeginning beginPresetup(
      PresetupMode mode, VirtioNetState early, int generation, Deadline deadline) {
    awaitIdle();
    PresetupPlanner.EarlyPlan planned = transitions.planPresetup(mode, early, generation);
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
    Execution execution = transitions.begin(plan, deadline);
    busy = true;
    return execution;
  }

  /**
   * Waits until no plan is under way that another thread began; at most as long as one may take.
   * Waiting lets go of the lock, so this comes before anything is looked at.
   */
  private void awaitIdle() {
    Deadline deadline = busy ? presetupDeadline() : null; // nothing is made in a stop window
    while (busy && deadline != null) {
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
    return transitions.finish(execution);
  }

  // ---- a back end that goes, and comes again ----

  /**
   * Makes a new connection to the back end, in place of what is left of the old one, and starts the
   * device there as its model says: everything is told, in one go. A device that should not run is
   * only connected.
   *
   * @return what became of telling the back end; a failure of that is in there, not thrown
   * @throws VhostException it cannot be reached
   */
  public Outcome reconnect() {
    return reconnect("it was asked for");
  }

  /**
   * The same.
   *
   * @param why the connection before is of no use any more
   */
  synchronized Outcome reconnect(String why) {
    awaitIdle();
    boolean linkWasLost = presence().linkLost();
    transitions.connectAnew(why);
    Outcome outcome = transitions.startAnew(linkWasLost);
    signalRings();
    return outcome;
  }

  /** A new connection of which nothing is asked yet, in place of one that is of no use any more. */
  synchronized void reconnectOnly(String why) {
    transitions.connectAnew(why);
  }

  /** Who hears what becomes of the device. */
  Observation observation() {
    return device.observation();
  }

  /**
   * A migration has decided, for a reason of its own, that the device goes on another way than was
   * asked for. The device's {@link Observer} hears of it, and a flight recording.
   *
   * @param why in words
   */
  public void fellBack(String why) {
    observation().fallback(why);
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
    boolean linkWasLost = presence().linkLost();
    boolean ours = false;
    try {
      awaitIdle();
      if (device.connected()) {
        return transitions.running(); // somebody else was faster
      }
      ours = true;
    } finally {
      if (!ours) {
        opened.close();
      }
    }
    transitions.goOnWith(opened);
    if (!transitions.waitsForBackEnd()) {
      return false;
    }
    transitions.startAnew(linkWasLost).orThrow();
    signalRings();
    announce();
    return true;
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
      transitions.lose(over);
    }
  }

  /**
   * Pulls the guest's link, or puts it in again, and tells the back end. While the back end is gone
   * and watched for the guest sees it down in any case.
   *
   * @param up whether the link is to be up
   * @throws VhostException the back end did not take it
   */
  public synchronized void linkUp(boolean up) {
    awaitIdle();
    presence().embedderSets(up, device.connected());
    refreshOrWait();
  }

  /** The connection as it is now; null: there is none. */
  synchronized @Nullable VhostUserChannel channel() {
    DeviceConnection connection = device.connection();
    return connection == null ? null : connection.channel();
  }

  /** {@return whether there is a connection on which something can still be said} */
  public synchronized boolean connected() {
    return device.connected();
  }

  /**
   * Somebody watches from now on, or nobody. A device that has no connection even now is lost.
   *
   * @param told what to run when something happens; returns at once; null: nobody watches
   */
  synchronized void watchedBy(@Nullable Runnable told) {
    presence().watcher(told);
    if (told != null) {
      transitions.noteLoss(
          new VhostException(name() + ": there was no connection to watch", Recovery.RECONNECT));
    }
  }

  /** What a watch needs to know. */
  BackEndPresence presence() {
    return transitions.presence();
  }

  // ---- alone, at run time ----

  /**
   * Starts the device as the model says, and signals its rings.
   *
   * @return the outcome, in which every step was taken
   * @throws VhostException the back end did not take it
   */
  public synchronized Outcome start() {
    awaitIdle();
    Outcome outcome = transitions.carryOut(transitions.planStart(StartOrder.PLANNED)).orThrow();
    signalRings();
    return outcome;
  }

  /**
   * Stops the device; where its rings stopped is in the model then.
   *
   * @return what became of it; a failure is in there, not thrown
   */
  public synchronized Outcome stop() {
    awaitIdle();
    return transitions.carryOut(transitions.planStopForGood());
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
    Plan plan = transitions.planRefresh();
    if (!plan.isEmpty()) {
      transitions.carryOut(plan).orThrow();
      if (transitions.shouldRun()) {
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
    transitions.logTo(target);
    if (transitions.running()) {
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
    transitions.logTo(null);
    if (!device.connected()) {
      reconnect("there was none").orThrow();
      return;
    }
    try {
      refresh();
    } catch (VhostException e) {
      log.warn("{}: connecting anew: {}", name(), e.getMessage());
      reconnect(String.valueOf(e.getMessage())).orThrow();
    }
  }

  /** The bitmap is about to be closed, and this device, stopped or given up, writes no more. */
  public synchronized void forgetLog() {
    transitions.logTo(null);
  }

  /**
   * {@return a number that is another one with every change to what {@link #snapshot} would hold}
   */
  public synchronized long changes() {
    return 2 * model.changes() + (presence().linkLost() ? 1 : 0);
  }

  /** {@return everything that a migration carries for the device, as it is now} */
  public synchronized VirtioNetState snapshot() {
    return presence().asIfPresent(model.snapshot());
  }

  /**
   * Takes a saved state in place of everything that the driver did; the back end is told nothing.
   *
   * @param state of a device described alike
   * @throws VhostException it does not fit this device
   */
  public synchronized void restore(VirtioNetState state) {
    model.restore(state);
    transitions.stateWasRestored();
  }

  /**
   * Takes a state that was made ready ahead of time, {@link VirtioNet#prepareRestore}, in place of
   * everything that the driver did; the back end is told nothing. Allocates nothing.
   *
   * @param state made ready by this device's model, and still current
   */
  public synchronized void restore(Restoration state) {
    model.restore(state);
    transitions.stateWasRestored();
  }

  /**
   * Runs register accesses of the driver, or changes of the VMM's to the model, as the device's one
   * owner, then tells the back end what they change: a device is started as its driver sets
   * DRIVER_OK, and stopped as it resets it.
   *
   * @param accesses run on the calling thread, with the device's lock held
   * @throws VhostException the back end did not take it
   */
  public synchronized void access(Runnable accesses) {
    awaitIdle();
    accesses.run();
    refreshOrWait();
  }

  /**
   * Looks at the model as the device's one owner: what the driver reads from a register. The back
   * end is told nothing, so whatever is asked has to leave the model as it is.
   *
   * @param <T> of the answer
   * @param question run on the calling thread, with the device's lock held
   * @return what the question answered
   */
  public synchronized <T> T read(Function<VirtioNet, T> question) {
    return question.apply(model);
  }

  /** A back end that is gone and watched for is no reason to fail what the guest does. */
  private void refreshOrWait() {
    try {
      refresh();
    } catch (VhostException e) {
      if (!presence().isWatched() || device.connected()) {
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
    if (completed > 0 && transitions.running()) {
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
   *
   * @param ring vring index; not the control queue's
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
    if (!transitions.running() || device.shadow().ring(ring).run() != RingShadow.Run.STARTED) {
      return;
    }
    try {
      device.kickInBand(ring);
    } catch (VhostException e) {
      // As with an eventfd that nobody reads any more: the guest notices nothing.
      transitions.noteLoss(e);
      log.debug("{}: kick of ring {}: {}", name(), ring, e.getMessage());
    }
  }

  /**
   * Lets the embedder ask its back end what is no part of a plan (configuration space, shared
   * objects, state transfer), as the device's one owner.
   *
   * @param <T> of the answer
   * @param question run on the calling thread, with the device's lock held
   * @return what the question answered
   * @throws VhostException (RECONNECT) there is no connection, or whatever the asking throws
   */
  public synchronized <T> T ask(Function<VhostUserFrontEnd, T> question) {
    awaitIdle();
    try {
      return question.apply(device.frontEnd());
    } catch (VhostException e) {
      transitions.noteLoss(e);
      throw e;
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
    transitions.close();
  }
}
