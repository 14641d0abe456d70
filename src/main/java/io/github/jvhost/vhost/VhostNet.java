package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.DeviceOwner;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio-net device whose queues a vhost back end serves. It makes the back end's configuration
 * from the device model, guest memory and the ring eventfds, and puts the outcome back into the
 * model.
 *
 * <p>An embedder makes every change in {@link #access}, which starts and stops the device and sends
 * changes. Besides it there are {@link #kick}, {@link #serviceControlQueue} and {@link #linkUp}.
 * The other methods are for events without an access: {@link #refresh} when guest memory has
 * changed, {@link #stop} and {@link #start} when the VMM itself pauses and resumes a device, {@link
 * #reconnect} if no {@link BackEndWatch} does it. Behind an IOMMU there are {@link #iotlbMapped},
 * {@link #iotlbUpdate} and {@link #iotlbInvalidate} for what the guest maps and unmaps.
 *
 * <p>Every method that sends the back end something, or reads what it was sent, holds the device's
 * lock. So the threads that serve the control queue, migrate and reconnect take turns. {@link
 * #kick}, {@link #running}, {@link #capabilities} and {@link #shadow} take no lock and never wait.
 * {@link VhostNetGroup} starts and stops many devices side by side. {@link #migration} has what
 * only a migration does with a device.
 *
 * <p>The model's listeners ({@link VirtioNet#onChange}) and the {@link Observer} are called after
 * the lock is released, by the thread that made the change, before its call returns. They may call
 * the device. If another thread is calling listeners of the same device at that moment, it calls
 * these too, and the call may return before they were called. A listener that throws is logged.
 *
 * <p>After {@link #close}, and after a migration has taken the guest to another host, a method that
 * would send the back end something throws {@link IllegalStateException}.
 */
public final class VhostNet implements DeviceOwner, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostNet.class);

  private final VirtioNet model;
  private final DeviceMemory memory;
  private final DeviceTranslations translations;
  private final EventfdTable eventfds;
  private final VhostDevice device;
  private final NetTransitions transitions;
  private final DeviceLock lock;
  private final VhostNetMigration migration;
  private final VhostNetWatch watch;
  private final InBandKicks inBandKicks;

  private VhostNet(
      VirtioNet model,
      DeviceTranslations translations,
      EventfdTable eventfds,
      VhostDevice device,
      DeviceLock lock) {
    this.model = model;
    this.memory = translations.memory();
    this.translations = translations;
    this.eventfds = eventfds;
    this.device = device;
    this.lock = lock;
    this.transitions = new NetTransitions(model, translations, eventfds, device, lock);
    this.migration = new VhostNetMigration(this, memory, device, transitions, lock);
    this.watch = new VhostNetWatch(this, device, transitions, lock, eventfds);
    this.inBandKicks = new InBandKicks(device.name(), eventfds.size(), this::sendKick);
  }

  /**
   * Connects a device to its back end. The model's offer to the guest is limited to what the back
   * end can do, so call this before the guest reads the offer.
   *
   * @param model of the device
   * @param memory the guest's; the embedder keeps it
   * @param eventfds of each ring, two for each queue pair, without the control queue; the embedder
   *     keeps them
   * @param options where the back end is
   * @return the device, connected and not started; the caller closes it
   * @throws VhostException if there is no such socket (RETRY), or the back end cannot serve the
   *     device (GIVE_UP)
   * @throws IllegalArgumentException if there are not two eventfds for each queue pair, or the
   *     model offers ACCESS_PLATFORM: then it is connected with a {@link DeviceMemory}
   * @throws IllegalStateException if the memory is closed or has no region, or the model has a back
   *     end already; nothing was connected
   */
  public static VhostNet connect(
      VirtioNet model,
      GuestMemory memory,
      List<RingEventfds> eventfds,
      VhostDeviceOptions options) {
    if (NetFeature.ACCESS_PLATFORM.in(model.deviceFeatures())) {
      throw new IllegalArgumentException(
          options.name()
              + ": its model offers ACCESS_PLATFORM, and nobody says which IOMMU stands behind it:"
              + " connect it with a DeviceMemory, with Iommu.NONE if there is none");
    }
    return connect(model, DeviceMemory.of(memory), eventfds, options);
  }

  /**
   * Connects a device behind an IOMMU, or one that offers ACCESS_PLATFORM although there is none.
   * The embedder tells the device when the guest changes its mappings: {@link #iotlbMapped}, {@link
   * #iotlbUpdate}, {@link #iotlbInvalidate}. The back end asks for translations at any time, so a
   * {@link BackEndWatch} has to watch the device.
   *
   * @param model of the device; it offers ACCESS_PLATFORM if there is an IOMMU
   * @param memory the guest's, under the addresses of the device; the embedder keeps it
   * @param eventfds of each ring, two for each queue pair, without the control queue; the embedder
   *     keeps them
   * @param options where the back end is
   * @return the device, connected and not started; the caller closes it
   * @throws VhostException if there is no such socket (RETRY), or the back end cannot serve the
   *     device (GIVE_UP)
   * @throws IllegalArgumentException if there are not two eventfds for each queue pair, or the
   *     model does not offer ACCESS_PLATFORM to a driver behind an IOMMU
   * @throws IllegalStateException if the memory is closed or has no region, or the model has a back
   *     end already; nothing was connected
   */
  public static VhostNet connect(
      VirtioNet model,
      DeviceMemory memory,
      List<RingEventfds> eventfds,
      VhostDeviceOptions options) {
    NetConnecting.check(model, memory, eventfds, options);
    var table = new EventfdTable(eventfds);
    var translations = new DeviceTranslations(options.name(), memory);
    return over(
        model,
        translations,
        table,
        options,
        () -> NetConnecting.open(table, options, translations));
  }

  /**
   * Connects over any carrier.
   *
   * @param carriers makes a connection at each call, or throws
   */
  static VhostNet over(
      VirtioNet model,
      DeviceTranslations translations,
      EventfdTable table,
      VhostDeviceOptions options,
      Supplier<Carrier> carriers) {
    model.beginService();
    var lock = new DeviceLock(options.name(), options.longest());
    VhostNet net;
    try {
      VhostDevice device =
          NetConnecting.connect(model, options, carriers, lock::callLater, translations);
      net = new VhostNet(model, translations, table, device, lock);
    } catch (RuntimeException e) {
      model.endService();
      throw e;
    }
    model.serveChanges(net::changed, lock::callLater);
    return net;
  }

  /**
   * A driver may reset its device, or a ring, and set it up again within one access. The model may
   * look the same before and after that, so the back end is sent the reset in between.
   */
  private void changed(DeviceChange change) {
    try (var _ = lock.hold()) {
      switch (change) {
        case ANNOUNCE_ACK, CONFIG_INTERRUPT, CONTROL_USED -> {
          // No back end holds this.
        }
        case FILTERS, OFFLOADS -> {
          if (isTold(change)) {
            transitions.modelChanged();
          }
        }
        case MAC, QUEUE_PAIRS, MTU, STATUS, LINK, QUEUE, BROKEN, RESTORED ->
            transitions.modelChanged();
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

  /** {@return the device model} Only the thread that owns the device at that time may use it. */
  @Override
  public VirtioNet model() {
    return model;
  }

  /** {@return what the back end can do} Does not wait. */
  public BackEndCapabilities capabilities() {
    return device.capabilities();
  }

  /**
   * {@return what the back end is known to hold after the last transition that has ended} Does not
   * wait.
   */
  public Shadow shadow() {
    return device.shadow();
  }

  /** {@return whether the back end serves the rings, as far as this side knows} Does not wait. */
  public boolean running() {
    return transitions.running();
  }

  /**
   * {@return what the back end is to hold while the guest runs, from the model as it is; for tools
   * that plan}
   *
   * @param memoryComplete whether guest memory may be read, for the used indexes of split rings
   * @throws VhostException if a ring lies outside of guest memory
   */
  public DeviceConfig desiredConfig(boolean memoryComplete) {
    try (var _ = lock.hold()) {
      return transitions.runningConfig(memoryComplete);
    }
  }

  /**
   * {@return what a migration does with the device; an embedder that uses
   * io.github.jvhost.migration does not need it}
   */
  public VhostNetMigration migration() {
    return migration;
  }

  /** The guest's memory; the embedder's. */
  DeviceMemory memory() {
    return memory;
  }

  /** What a {@link BackEndWatch} does with it. */
  VhostNetWatch watch() {
    return watch;
  }

  // ---- a back end that goes, and comes again ----

  /**
   * Makes a new connection to the back end in place of the old one, and starts the device there as
   * its model says: one plan sends everything. A device that should not run is only connected.
   *
   * @return the outcome of that plan; its failure is not thrown
   * @throws VhostException if the back end cannot be reached
   */
  public Outcome reconnect() {
    return reconnect("it was asked for");
  }

  /** The same, with the reason why the earlier connection cannot be used any more. */
  Outcome reconnect(String why) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.connection().connectAnew(why);
      return startAnew();
    }
  }

  /**
   * Starts a device again whose start has failed, on another connection. If a watch has made that
   * connection already, it is used.
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
   * Takes the guest's link down or up, and stops or starts the back end accordingly. While the back
   * end is gone the guest sees its link down in any case.
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

  /** {@return whether there is a connection on which something can still be sent} */
  public boolean connected() {
    try (var _ = lock.hold()) {
      return device.connected();
    }
  }

  // ---- alone, at run time ----

  /**
   * Starts the device as the model says, signals its rings, and serves its control queue.
   *
   * @return the outcome; the back end took every step
   * @throws VhostException if the back end did not take it
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
   * Stops the device. Afterwards the model says where its rings stopped.
   *
   * @return the outcome; its failure is not thrown
   */
  public Outcome stop() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      return transitions.carryOut(transitions.planStopForGood(StartOrder.PLANNED));
    }
  }

  /**
   * Sends a running back end what has changed in the model or in guest memory. A device that should
   * not run any more (reset, link down) is stopped.
   *
   * <p>If it throws because of memory that was added, and the device still runs, remove that region
   * from guest memory. As long as it is there the back end cannot be told anything else.
   *
   * @return the plan that was sent; it may be empty
   * @throws VhostException if the back end did not take it
   */
  public Plan refresh() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      Plan plan = transitions.planRefresh();
      if (!plan.isEmpty()) {
        boolean ran = transitions.running();
        transitions.carryOut(plan).orThrow();
        if (transitions.readiness() == NetTransitions.Readiness.READY) {
          if (ran) {
            DisturbedRings.by(plan, model).stream().forEach(this::signalRing);
          } else {
            signalRings();
          }
        }
        log.debug("{}: refreshed\n{}", name(), plan.describe());
      }
      return plan;
    }
  }

  // ---- behind an IOMMU ----

  /**
   * The guest has mapped a range for the device. The back end is told what it has asked for there,
   * because it asks once; a ring that could not start without it is started. Nothing is thrown: see
   * {@link #access}.
   *
   * <p>Waits for the device's lock, whose holder may be asking the {@link Iommu}. So map, release
   * every lock that {@link Iommu#translate} takes, then call this.
   *
   * @param iova I/O virtual address of the first byte
   * @param length in bytes, 1 or more; a range does not wrap, and one that is too long is cut
   */
  public void iotlbMapped(long iova, long length) {
    mapped(iova, length, false);
  }

  /**
   * The same, and the back end is told all of the range, whether it has asked or not. For guests
   * that map each frame anew: without it a back end asks for each, and loses the frame that it
   * wanted to write there. Of a range in more than 1,024 pieces, or with as many pages that are not
   * mapped, the first are told. The same holds of locks.
   *
   * @param iova I/O virtual address of the first byte
   * @param length in bytes, 1 or more; a range does not wrap, and one that is too long is cut
   */
  public void iotlbUpdate(long iova, long length) {
    mapped(iova, length, true);
  }

  private void mapped(long iova, long length, boolean push) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      boolean asked = translations.mapped(iova, lastOf(iova, length), push);
      if (transitions.running() && (asked || transitions.someRingWaits())) {
        tellWhatWaits();
      }
    }
  }

  /** Sends a plan that answers misses which wait. With the lock held. */
  void tellWhatWaits() {
    refreshOrWait();
  }

  /**
   * The guest has unmapped a range, or mapped something else there: its IOMMU does not translate it
   * as before any more. When this returns, no access of the back end with an earlier translation
   * can follow. What is still mapped as before stays. Waits for the back end to acknowledge, and
   * answers its requests meanwhile.
   *
   * <p>Unmap first, so that the {@link Iommu} does not translate the range any more. Then release
   * every lock that {@link Iommu#translate} takes. Then call this, and let the guest go on when it
   * has returned. With such a lock held the call may never return: it waits for the device's lock,
   * whose holder may be waiting in {@code translate}.
   *
   * @param iova I/O virtual address of the first byte
   * @param length in bytes, 1 or more; one that is too long is cut at the end of all addresses.
   *     Everything: 0 and -1
   * @throws VhostException if a back end may still access the memory. Either it has not
   *     acknowledged this invalidation: then its connection is closed, and the guest sees its link
   *     down. Or its connection was closed before, for whatever reason, while it served the rings.
   *     Then each call throws until another back end is connected, unless the back end itself has
   *     hung up: one whose process has ended accesses nothing. The embedder should not give the
   *     memory to somebody else before that process has ended. It has to see to this itself if the
   *     next back end is another process. Also (RETRY), with the connection as it was, if the
   *     thread is interrupted or another transition takes too long: nothing was invalidated
   */
  public void iotlbInvalidate(long iova, long length) {
    long last = lastOf(iova, length);
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      transitions.connection().requireNoneLeftServing();
      if (transitions.running() && device.shadowNow().mayHoldTranslations(iova, last)) {
        translations.changedOnlyIn(new DeviceTranslations.Area(iova, last - iova + 1));
        try {
          refresh();
        } catch (RuntimeException | Error e) { // whatever it is, the back end may hold it still
          transitions.connection().cannotFollow(asFailure(e));
          throw e;
        } finally {
          translations.changedOnlyIn(null);
        }
      }
    }
  }

  private VhostException asFailure(Throwable e) {
    return e instanceof VhostException known
        ? known
        : new VhostException(name() + ": an invalidation: " + e, Recovery.RECONNECT, e);
  }

  /**
   * {@return what the back end was told of the IOMMU, by the transitions that have ended and when
   * it asked, and how often it asked} Waits for no back end, and no longer than {@link
   * Iommu#translate} takes.
   */
  public IotlbStatus iotlb() {
    return translations.status(device.shadow(), device.capabilities());
  }

  /** The last address of a range; a length is unsigned. */
  private static long lastOf(long iova, long length) {
    if (length == 0) {
      throw new IllegalArgumentException("a range of no bytes");
    }
    long last = iova + length - 1;
    return Long.compareUnsigned(last, iova) < 0 ? -1 : last;
  }

  /** {@return everything that a migration carries for the device, as it is now} */
  public VirtioNetState snapshot() {
    try (var _ = lock.hold()) {
      return transitions.presence().asIfPresent(model.snapshot());
    }
  }

  /**
   * Replaces everything that the driver did by a saved state, when no transition is under way that
   * another thread has begun. The back end is sent nothing, unless the state has a part of the back
   * end's own ({@link io.github.jvhost.virtio.NetState#backEnd}, as QEMU's streams have it). This
   * method writes that part into the back end and waits for it. The back end holds it until the
   * connection ends; {@link VhostNetMigration#holdsLoadedState} says after the start whether it
   * still does.
   *
   * @param state of a device with the same description
   * @throws VhostException if the state does not fit this device, or (GIVE_UP) if it has such a
   *     part and the back end takes none: nothing has changed. If the back end refused that part or
   *     was lost, the device is unchanged and its connection is closed. (RETRY) if another
   *     transition took too long, or this thread was interrupted: nothing has changed
   * @throws IllegalStateException if the state has such a part and the device runs, or if this
   *     thread itself carries out a transition of the device
   */
  public void restore(VirtioNetState state) {
    try (var _ = lock.hold()) {
      migration.restore(state);
    }
  }

  /**
   * Runs register accesses of the driver, or changes of the VMM to the model, as the only owner of
   * the device. Then sends the back end what they changed: the device is started when its driver
   * sets DRIVER_OK, and stopped when the driver resets it. If they change nothing that a back end
   * holds (a queue is selected), nothing is planned.
   *
   * <p>A back end that refuses, hangs up or does not answer in time is not the driver's fault, so
   * nothing is thrown. Its connection is closed, because it may still write into guest memory, and
   * the guest sees its link down, with a config interrupt, before this returns. {@link #reconnect}
   * or a {@link BackEndWatch} restores connection and link.
   *
   * @param accesses run on the calling thread, with the device's lock held
   * @throws VhostException (RETRY) if another transition took too long, or this thread was
   *     interrupted while it waited: nothing was run, and the call can be made again
   * @throws IllegalStateException if the device is closed
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
   * Reads the model as the only owner of the device, for example when the driver reads a register.
   * The back end is sent nothing, so the question must not change the model.
   *
   * @param <T> of the answer
   * @param question run on the calling thread, with the device's lock held
   * @return the answer of the question
   */
  @Override
  public <T> T read(Function<VirtioNet, T> question) {
    try (var _ = lock.hold()) {
      return question.apply(model);
    }
  }

  /** Does not fail the guest's access if the back end refuses or has gone. */
  void refreshOrWait() {
    try {
      refresh();
    } catch (VhostException e) {
      log.warn("{}: the guest sees its link down: {}", name(), e.getMessage());
      transitions.connection().cannotFollow(e);
    }
  }

  /**
   * Serves the control queue after the guest has kicked it. It carries out the commands, and sends
   * the back end what they change before the driver gets its answer. The answer is an error if the
   * back end refused or was lost; as with {@link #access}, nothing is thrown then. {@link #start},
   * {@link #reconnect} and the end of a migration do this by themselves, because a command may have
   * waited while the guest was paused.
   *
   * @return how many commands were completed; if there were any, {@link DeviceChange#CONTROL_USED}
   *     has said that the guest is to be interrupted
   */
  @Override
  public int serviceControlQueue() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      boolean ran = transitions.running();
      int completed = 0;
      boolean thrown = true; // what was thrown while commands ran is thrown after all of them
      try {
        completed = model.serviceControlQueue(memory, this::sendCommand);
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
   * Sends the back end what a command has changed, before the driver gets its answer. If there is
   * no back end, or it had gone before, the next one is sent the change.
   *
   * <p>A device with a control queue of its own may refuse the command, and goes on as before. Any
   * other back end is lost when it refuses. If it hangs up or does not answer, that counts as a
   * refusal too. Without REPLY_ACK it cannot refuse in another way. With REPLY_ACK, a command at
   * which it crashes or hangs would do the same at every reconnect if the driver were answered that
   * it is done. So the driver gets an error, and the device goes back to what its back end is known
   * to serve, which is what the next one is sent. After an error a driver keeps what it had and may
   * try again. So if the back end fails at that moment for another reason, the driver loses no more
   * than this command.
   *
   * @param change what the command has changed
   * @return false if the back end refused the command, or was lost during it
   */
  private boolean sendCommand(DeviceChange change) {
    watch.noteHangUp();
    if (!transitions.running() || !isTold(change)) {
      return true;
    }
    try {
      refresh();
      return true;
    } catch (VhostException e) {
      // A guest may have this as often as it likes. If the back end is lost, that is logged too.
      log.debug("{}: a control command is answered with an error: {}", name(), e.getMessage());
      return false;
    }
  }

  /** Whether this back end holds anything of what a command has changed. */
  private boolean isTold(DeviceChange change) {
    long commands = device.capabilities().commands();
    return switch (change) {
      case FILTERS ->
          NetFeature.CTRL_RX.in(commands)
              || NetFeature.CTRL_RX_EXTRA.in(commands)
              || NetFeature.CTRL_VLAN.in(commands);
      case OFFLOADS -> NetFeature.CTRL_GUEST_OFFLOADS.in(commands);
      default -> true;
    };
  }

  /**
   * Gives a ring other eventfds, because the VMM has bound another interrupt or doorbell to it, and
   * sends them to a back end that serves the ring. Call and err change while the ring runs. For
   * another kick the ring is stopped and started, because a kick starts a ring on some back ends.
   * Then both sides of the ring are signalled, so that no notification is lost.
   *
   * <p>Let the guest use the new ones before this is called. What it writes to the old kick is not
   * seen any more.
   *
   * @param ring vring index; not the control queue's
   * @param others the new eventfds; the embedder keeps them
   * @return the old eventfds. The embedder closes those that {@code others} does not have too: the
   *     back end does not use them any more, and no later call of {@link #kick} uses them
   * @throws VhostException (RETRY) if another transition of the device was still under way; the
   *     ring keeps its eventfds. A back end that refuses the others is lost, as in {@link #access}
   */
  public RingEventfds changeEventfds(int ring, RingEventfds others) {
    try (var _ = lock.hold()) {
      requireDataRing(ring, "with eventfds");
      Objects.requireNonNull(others, "others");
      transitions.takeTurn();
      RingEventfds before = eventfds.replace(ring, others);
      transitions.eventfdsChanged();
      try {
        if (transitions.running()) {
          refreshOrWait();
        }
      } finally {
        watch.eventfdsChanged(ring, before);
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

  /** Throws an {@link IllegalStateException} if the device is closed. */
  void requireOpen() {
    transitions.requireOpen();
  }

  /**
   * Signals kick and call of every ring once, because a kick or a call from before a stop may have
   * been lost. If kicks are messages (INBAND_NOTIFICATIONS), this takes the device's lock.
   */
  public void signalRings() {
    transitions.requireOpen();
    for (int i = 0; i < eventfds.size(); i++) {
      signalRing(i);
    }
  }

  private void signalRing(int ring) {
    if (device.capabilities().notifiesInBand()) {
      sendKick(ring);
    } else {
      eventfds.get(ring).kick().signal();
    }
    eventfds.get(ring).call().signal();
  }

  /**
   * Passes on a guest's kick that reached no ioeventfd: by eventfd or, with INBAND_NOTIFICATIONS,
   * by a message.
   *
   * <p>A vCPU may call it at any time, because it never waits: not for the device's lock, and not
   * for a transition that waits for the back end. A thread of the device sends the message as soon
   * as no transition is under way.
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

  /** Signals the kick. The eventfd may be replaced and closed after it was looked up. */
  private void signalKick(int ring) {
    EventFd kick = eventfds.get(ring).kick();
    boolean signalled = false;
    while (!signalled) {
      try {
        kick.signal();
        signalled = true;
      } catch (IllegalStateException e) {
        EventFd now = eventfds.get(ring).kick();
        if (now.equals(kick)) {
          throw e; // the embedder has closed an eventfd that is in use
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
        boolean _ =
            ask(connection -> {
              connection.kick(ring);
              return true;
            });
      } catch (VhostException e) {
        // Like a kick on an eventfd that is not read any more: the guest does not notice it.
        log.debug("{}: kick of ring {}: {}", name(), ring, e.getMessage());
      }
    }
  }

  /**
   * Reads the back end's configuration space, after {@link BackEndEvents#configChanged} for
   * example. A vhost-user back end needs the protocol feature CONFIG for that; a vDPA device has
   * one always, and vhost-net has none.
   *
   * @param offset in bytes, in what virtio calls the device configuration space
   * @param size 1 to 256 bytes
   * @return this many bytes
   * @throws VhostException (GIVE_UP) if the back end has none, or that was not negotiated; or if
   *     the back end refuses, is gone, or takes longer than {@link
   *     VhostDeviceOptions#connectWithin}
   */
  public byte[] backEndConfig(int offset, int size) {
    return ask(connection -> connection.config(offset, size));
  }

  /**
   * Asks the back end for an object that it offers to others ({@link
   * BackEndEvents#sharedObjectAdded}). Only with the protocol feature SHARED_OBJECT.
   *
   * @param object which one
   * @return its descriptor, which the caller closes; empty: the back end does not have it
   * @throws VhostException as {@link #backEndConfig} does
   */
  public Optional<OwnedDescriptor> sharedObject(SharedObject object) {
    return ask(connection -> connection.sharedObject(object));
  }

  /**
   * Asks the back end for the sizes of its shared memory regions, into which it maps files ({@link
   * BackEndEvents#shmemMap}). Only with the protocol feature SHMEM.
   *
   * @return the size of each region in bytes, region 0 first; 0: there is no such region
   * @throws VhostException as {@link #backEndConfig} does
   */
  public List<Long> sharedMemory() {
    return ask(Carrier::sharedMemory);
  }

  /** Asks the back end what is no part of a plan, as the only owner of the device. */
  <T> T ask(Function<Carrier, T> question) {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      try {
        return question.apply(device.requireConnection());
      } catch (VhostException e) {
        transitions.connection().noteLoss(e);
        throw e;
      } finally {
        transitions.presence().waitEnds(transitions.planWanted());
      }
    }
  }

  /**
   * Announces to the network where the guest is now: asks the back end to send a RARP with the
   * device's current address, and asks the guest to announce itself if it can.
   *
   * @return whether the back end or the guest was asked
   */
  public boolean announce() {
    try (var _ = lock.hold()) {
      transitions.takeTurn();
      boolean backEnd =
          device.connection() != null
              && ask(connection -> connection.announce(model.mac().bytes()));
      boolean guest = model.requestAnnounce();
      return backEnd || guest;
    }
  }

  /** How long a transition of this device may take. */
  Deadline transitionDeadline() {
    return Deadline.after(device.options().transitionWithin());
  }

  /**
   * Closes the device for good: a method that would send the back end something throws from now on.
   * The state of the device can still be read. Model, memory and eventfds are not touched. A second
   * call does nothing.
   *
   * <p>A transition that runs side by side with other devices' keeps the connection until its end.
   * This waits for that end, as long as a transition may take. If the calling thread itself carries
   * it out, or if it takes longer, the connection is closed when it ends: memory and eventfds are
   * needed until then. This does not wait for a listener that another thread is calling.
   */
  @Override
  public void close() {
    try (var _ = lock.hold()) {
      transitions.close();
      if (lock.awaitLastPlanEnd()) {
        transitions.release();
      } else {
        log.debug("{}: closed, its connection when the transition that is under way ends", name());
      }
    }
  }
}
