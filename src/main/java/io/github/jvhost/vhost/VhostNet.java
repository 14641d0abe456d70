package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.DeviceOwner;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio-net device whose queues a vhost back end serves: it makes of the device model, guest
 * memory and the ring notifiers what the back end is to know, and takes back what comes of it.
 *
 * <p>An embedder makes every change in {@link #access}, which starts, stops and tells what is to be
 * told; beside it there are {@link #kick}, {@link #serviceControlQueue} and {@link #linkUp}. The
 * others are for moments that no access brings about: {@link #refresh} when guest memory has
 * changed, {@link #stop} and {@link #start} when the VMM itself pauses a device and lets it go on,
 * {@link #reconnect} where no {@link BackEndWatch} does it.
 *
 * <p>Whatever tells the back end something, or looks at what it was told, holds the device's lock:
 * the thread that serves the control queue, the one that migrates and the one that reconnects take
 * turns. {@link #kick}, {@link #running}, {@link #capabilities} and {@link #shadow} take no lock
 * and never wait. {@link VhostNetGroup} moves many devices side by side. What only a migration does
 * with a device is apart: {@link #migration}.
 *
 * <p>After {@link #close}, and when a migration has taken the guest to another host, whatever would
 * tell the back end something throws {@link IllegalStateException}.
 */
public final class VhostNet implements DeviceOwner, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostNet.class);

  private final VirtioNet model;
  private final GuestMemory memory;
  private final NotifierTable notifiers;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;
  private final VhostNetMigration migration;
  private final VhostNetWatch watch;
  private final InBandKicks inBandKicks;

  private VhostNet(
      VirtioNet model, GuestMemory memory, NotifierTable notifiers, VhostDevice device) {
    this.model = model;
    this.memory = memory;
    this.notifiers = notifiers;
    this.device = device;
    this.lock = new DeviceLock(device.name(), device.options().longest());
    this.transitions = new NetTransitions(model, memory, notifiers, device, lock);
    this.migration = new VhostNetMigration(this, memory, device, transitions, lock);
    this.watch = new VhostNetWatch(this, device, transitions, lock, notifiers);
    this.inBandKicks = new InBandKicks(device.name(), notifiers.size(), this::sendKick);
  }

  /**
   * Connects a device to its back end. What the back end cannot do is taken from what the model
   * offers to the guest, so this has to come before the guest looks.
   *
   * @param model of the device
   * @param memory the guest's; stays the embedder's
   * @param notifiers of each ring, two for each queue pair, the control queue left out; they stay
   *     the embedder's
   * @param options where the back end is
   * @return the device, connected and not started; the caller's to close
   * @throws VhostException there is no such socket (RETRY), or the back end cannot serve the device
   *     (GIVE_UP)
   * @throws IllegalArgumentException there are not two notifiers for each queue pair, or the model
   *     offers ACCESS_PLATFORM (a virtual IOMMU), which is not served yet
   * @throws IllegalStateException the memory is closed or has no region, or the model has a back
   *     end already; nothing was connected to
   */
  public static VhostNet connect(
      VirtioNet model,
      GuestMemory memory,
      List<RingNotifiers> notifiers,
      VhostDeviceOptions options) {
    NetConnecting.check(model, memory, notifiers, options);
    var table = new NotifierTable(notifiers);
    return over(model, memory, table, options, () -> NetConnecting.vhostUser(table, options));
  }

  /**
   * Connects over any carrier.
   *
   * @param carriers makes a connection each time it is asked, or throws why not
   */
  static VhostNet over(
      VirtioNet model,
      GuestMemory memory,
      NotifierTable table,
      VhostDeviceOptions options,
      Supplier<Carrier> carriers) {
    model.beginService();
    VhostNet net;
    try {
      VhostDevice device = NetConnecting.connect(model, options, carriers);
      net = new VhostNet(model, memory, table, device);
    } catch (RuntimeException e) {
      model.endService();
      throw e;
    }
    model.onChange(net::changed);
    return net;
  }

  /**
   * A driver may reset its device, or a ring, and set it up again within one access. Both ends of
   * that look the same, so the back end hears of it in between.
   */
  private void changed(DeviceChange change) {
    try (var _ = lock.hold()) {
      switch (change) {
        case MAC, FILTERS, OFFLOADS, ANNOUNCE_ACK, CONFIG_INTERRUPT, CONTROL_USED -> {
          // No back end holds anything of it.
        }
        case QUEUE_PAIRS, MTU, STATUS, LINK, QUEUE, BROKEN, RESTORED -> transitions.modelChanged();
        case RESET -> {
          transitions.modelChanged();
          transitions.driverHasReset();
        }
        case QUEUE_RESET -> {
          transitions.modelChanged();
          if (transitions.running()) {
            refreshOrWait();
          }
        }
      }
    }
  }

  /** {@return the device's name} */
  public String name() {
    return device.name();
  }

  /** {@return the device model} Only to be used by whoever owns the device at that time. */
  @Override
  public VirtioNet model() {
    return model;
  }

  /** {@return what the back end can do} Waits for nothing. */
  public BackEndCapabilities capabilities() {
    return device.capabilities();
  }

  /**
   * {@return what the back end is known to hold: what the newest transition that has ended left
   * there} Waits for nothing.
   */
  public Shadow shadow() {
    return device.shadow();
  }

  /**
   * {@return whether the back end serves the rings, as far as this side knows} Waits for nothing.
   */
  public boolean running() {
    return transitions.running();
  }

  /**
   * {@return what the back end is to know while the guest runs, from the model as it is; for tools
   * that plan}
   *
   * @param memoryComplete whether guest memory may be looked at, for the used indexes of split
   *     rings
   * @throws VhostException a ring lies outside of guest memory
   */
  public DeviceConfig desiredConfig(boolean memoryComplete) {
    try (var _ = lock.hold()) {
      return transitions.runningConfig(memoryComplete);
    }
  }

  /**
   * {@return what a migration does with the device; an embedder who leaves that to
   * io.github.jvhost.migration needs none of it}
   */
  public VhostNetMigration migration() {
    return migration;
  }

  /** The guest's memory; the embedder's. */
  GuestMemory memory() {
    return memory;
  }

  /** What a {@link BackEndWatch} does with it. */
  VhostNetWatch watch() {
    return watch;
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

  /** The same; says why the connection before is of no use any more. */
  Outcome reconnect(String why) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.connection().connectAnew(why);
      return startAnew();
    }
  }

  /**
   * Starts a device whose start has failed, on another connection. Where a watch has made that
   * connection already, it is kept.
   */
  Outcome startAgain(String why) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      if (!device.connected()) {
        transitions.connection().connectAnew(why);
      }
      return startAnew();
    }
  }

  private Outcome startAnew() {
    Outcome outcome = transitions.startAnew();
    signalRings();
    serviceControlQueue();
    return outcome;
  }

  /**
   * Pulls the guest's link, or puts it in again, and tells the back end. While the back end is gone
   * the guest sees it down in any case.
   *
   * @param up whether the link is to be up
   */
  public void linkUp(boolean up) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.presence().embedderSets(up, device.connected());
      refreshOrWait();
    }
  }

  /** {@return whether there is a connection on which something can still be said} */
  public boolean connected() {
    try (var _ = lock.hold()) {
      return device.connected();
    }
  }

  // ---- alone, at run time ----

  /**
   * Starts the device as the model says, signals its rings, and serves its control queue.
   *
   * @return the outcome, in which every step was taken
   * @throws VhostException the back end did not take it
   */
  public Outcome start() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      Outcome outcome = transitions.carryOut(transitions.planStart(StartOrder.PLANNED)).orThrow();
      signalRings();
      serviceControlQueue();
      return outcome;
    }
  }

  /**
   * Stops the device; where its rings stopped is in the model then.
   *
   * @return what became of it; a failure is in there, not thrown
   */
  public Outcome stop() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      return transitions.carryOut(transitions.planStopForGood(StartOrder.PLANNED));
    }
  }

  /**
   * Tells a running back end what changed in the model, or in guest memory. A device that should
   * not run any more (reset, link down) is stopped.
   *
   * @return what was told; its plan may be empty
   * @throws VhostException the back end did not take it
   */
  public Plan refresh() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
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
  }

  /** {@return everything that a migration carries for the device, as it is now} */
  public VirtioNetState snapshot() {
    try (var _ = lock.hold()) {
      return transitions.presence().asIfPresent(model.snapshot());
    }
  }

  /**
   * Takes a saved state in place of everything that the driver did. The back end is told nothing,
   * unless the state has a part that is the back end's own ({@link
   * io.github.jvhost.virtio.NetState#backEnd}, as QEMU's streams have it): that is written into it,
   * and this is waited for. It holds it until the connection ends; {@link
   * VhostNetMigration#holdsLoadedState} says behind the start whether it still does.
   *
   * @param state of a device described alike
   * @throws VhostException it does not fit this device, or (GIVE_UP) it has such a part and the
   *     back end takes none: nothing has changed. Or the back end refused that part, or was lost:
   *     the device is what it was, and its connection is closed
   * @throws IllegalStateException it has such a part, and the device runs
   */
  public void restore(VirtioNetState state) {
    try (var _ = lock.hold()) {
      migration.restore(state);
    }
  }

  /**
   * Runs register accesses of the driver, or changes of the VMM's to the model, as the device's one
   * owner, then sends the back end what they change: a device is started as its driver sets
   * DRIVER_OK, and stopped as it resets it. Where they change nothing that a back end holds (a
   * queue is selected), nothing is planned.
   *
   * <p>A back end that refuses, hangs up or does not answer in time is no failure of the driver's,
   * and nothing is thrown for it: its connection is closed, because it may still write into guest
   * memory, and the guest sees its link down, with a config interrupt, before this returns. {@link
   * #reconnect}, or a {@link BackEndWatch}, brings both back.
   *
   * @param accesses run on the calling thread, with the device's lock held
   * @throws VhostException (RETRY) another transition went on for too long, or this thread was
   *     interrupted as it waited: nothing was run, and the same call may be made again
   * @throws IllegalStateException the device is closed
   */
  @Override
  public void access(Runnable accesses) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      accesses.run();
      if (transitions.mayDiffer()) {
        refreshOrWait();
      }
    }
  }

  /**
   * Looks at the model as the device's one owner: what the driver reads from a register. The back
   * end is told nothing, so whatever is asked has to leave the model as it is.
   *
   * @param <T> of the answer
   * @param question run on the calling thread, with the device's lock held
   * @return what the question answered
   */
  @Override
  public <T> T read(Function<VirtioNet, T> question) {
    try (var _ = lock.hold()) {
      return question.apply(model);
    }
  }

  /** A back end that refuses, or has gone, is no reason to fail what the guest does. */
  private void refreshOrWait() {
    try {
      refresh();
    } catch (VhostException e) {
      log.warn("{}: the guest sees its link down: {}", name(), e.getMessage());
      transitions.connection().cannotFollow(e);
    }
  }

  /**
   * The guest has kicked the control queue: its commands are carried out, and the back end is told
   * what they change before the driver gets its answer, which is an error where the back end
   * refused or was lost; as with {@link #access}, that is not thrown. {@link #start}, {@link
   * #reconnect} and the end of a migration do this by themselves, since a command may have waited
   * while the guest was paused.
   *
   * @return commands completed; where there were any, {@link DeviceChange#CONTROL_USED} has said
   *     that the guest is to be interrupted
   */
  @Override
  public int serviceControlQueue() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      boolean ran = transitions.running();
      int completed = 0;
      boolean thrown = true; // by an embedder's listener, when all of it was carried out
      try {
        completed = model.serviceControlQueue(memory, this::tellCommand);
        thrown = false;
      } finally {
        if ((completed > 0 || thrown) && ran && device.connected() && transitions.mayDiffer()) {
          refreshOrWait(); // the device may be broken now
        }
      }
      return completed;
    }
  }

  /**
   * Tells the back end what a command has changed, before the driver hears that it is done. Where
   * there is no back end right now, or it was gone before that, the one that comes is told.
   *
   * <p>A back end that hangs up or falls silent over a command has not taken it, just like one that
   * refuses: without REPLY_ACK it has no other way to refuse, and with it a command at which it
   * crashes or hangs would do so again at every reconnect, if the driver were told that it is done.
   * So the driver gets an error and the device goes back to what its back end is known to serve:
   * that is what the next one is told. A driver keeps its number of queues upon an error, and may
   * ask again; a back end that fails in that moment for a reason of its own costs it no more.
   *
   * @return false where the back end refused it, or was lost over it
   */
  private boolean tellCommand() {
    watch.noteHangUp();
    if (!transitions.running()) {
      return true;
    }
    try {
      refresh();
      return true;
    } catch (VhostException e) {
      log.warn(
          "{}: what a control command changed, the guest sees its link down: {}",
          name(),
          e.getMessage());
      transitions.connection().cannotFollow(e);
      return false;
    }
  }

  /**
   * Gives a ring other eventfds, because the VMM has bound another interrupt or doorbell to it, and
   * tells a back end that serves the ring. A call and an err change while the ring runs; for
   * another kick the ring is stopped and started, because back ends take a kick for the ring's
   * start. Both sides of the ring are woken then, so no notification is lost on the way.
   *
   * <p>Let the guest use the new ones before this is called: what it writes to the kick from before
   * is not seen any more.
   *
   * @param ring vring index; not the control queue's
   * @param others what the ring has from here on; they stay the embedder's
   * @return what it had, which is the embedder's to close, as far as {@code others} does not have
   *     it too: the back end has let go of it, and no thread that comes to {@link #kick} later uses
   *     it
   * @throws VhostException (RETRY) another transition of the device was still under way; the ring
   *     has what it had. A back end that refuses the others is lost, as in {@link #access}
   */
  public RingNotifiers changeNotifiers(int ring, RingNotifiers others) {
    try (var _ = lock.hold()) {
      requireDataRing(ring, "with eventfds");
      Objects.requireNonNull(others, "others");
      transitions.takeTurn();
      RingNotifiers before = notifiers.replace(ring, others);
      transitions.notifiersChanged();
      try {
        if (transitions.running()) {
          refreshOrWait();
        }
      } finally {
        watch.notifiersChanged(ring, before);
      }
      return before;
    }
  }

  private void requireDataRing(int ring, String which) {
    if (ring < 0 || ring >= 2 * model.maxQueuePairs()) {
      throw new IllegalArgumentException(
          "%s: no ring %d %s: its back end serves 0 to %d"
              .formatted(name(), ring, which, 2 * model.maxQueuePairs() - 1));
    }
  }

  /**
   * Wakes both sides of every ring once: a kick or a call from before a stop may have been lost
   * with it. Where kicks are messages (INBAND_NOTIFICATIONS), this takes its turn with the device.
   */
  public void signalRings() {
    transitions.requireOpen();
    boolean inBand = device.capabilities().notifiesInBand();
    for (int i = 0; i < notifiers.size(); i++) {
      if (inBand) {
        sendKick(i);
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
   * <p>A vCPU may call it at any time, because it never waits: not for the device's lock, and not
   * for a transition that waits for the back end. A message is sent by a thread of the device's
   * own, as soon as it has its turn.
   *
   * @param ring vring index; not the control queue's, which {@link #serviceControlQueue} serves
   */
  @Override
  public void kick(int ring) {
    requireDataRing(ring, "to kick");
    transitions.requireOpen();
    if (device.capabilities().notifiesInBand()) {
      inBandKicks.kick(ring);
    } else {
      signalKick(ring);
    }
  }

  /** The eventfd that was looked up may be replaced and closed before it is signalled. */
  private void signalKick(int ring) {
    EventFd kick = notifiers.get(ring).kick();
    boolean signalled = false;
    while (!signalled) {
      try {
        kick.signal();
        signalled = true;
      } catch (IllegalStateException e) {
        EventFd now = notifiers.get(ring).kick();
        if (now.equals(kick)) {
          throw e; // the embedder has closed the one that is in use
        }
        kick = now;
      }
    }
  }

  private void sendKick(int ring) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      if (!transitions.running() || device.shadow().ring(ring).run() != RingShadow.Run.STARTED) {
        return;
      }
      try {
        device.kickInBand(ring);
      } catch (VhostException e) {
        // As with an eventfd that nobody reads any more: the guest notices nothing.
        transitions.connection().noteLoss(e);
        log.debug("{}: kick of ring {}: {}", name(), ring, e.getMessage());
      }
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
  public <T> T ask(Function<VhostUserFrontEnd, T> question) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      try {
        return question.apply(device.frontEnd());
      } catch (VhostException e) {
        transitions.connection().noteLoss(e);
        throw e;
      }
    }
  }

  /**
   * Tells the network where the guest is now: the back end is asked to send a RARP with the
   * device's current address, and the guest is asked to announce itself where it can.
   *
   * @return whether anybody was told
   */
  public boolean announce() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      boolean backEnd = device.sendRarp(model.mac().bytes());
      boolean guest = model.requestAnnounce();
      return backEnd || guest;
    }
  }

  /** How long a transition of this device may take. */
  Deadline transitionDeadline() {
    return Deadline.after(device.options().transitionWithin());
  }

  /**
   * Closes the connection, for good: what would tell the back end something throws from here on.
   * What the device was can still be read. Model, memory and notifiers are not touched. A second
   * time does nothing.
   *
   * <p>A transition that goes side by side with other devices' keeps the connection until its end,
   * which is waited for, as long as one may take. Where the calling thread itself carries it out,
   * or it takes longer, the connection is closed when it ends: memory and notifiers are needed
   * until then.
   */
  @Override
  public void close() {
    try (var _ = lock.hold()) {
      transitions.close();
      if (lock.awaitLast()) {
        transitions.release();
      } else {
        log.debug("{}: closed, its connection when the transition that is under way ends", name());
      }
    }
  }
}
