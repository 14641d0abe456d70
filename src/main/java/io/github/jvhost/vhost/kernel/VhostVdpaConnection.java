package io.github.jvhost.vhost.kernel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * vhost-vdpa: a network device that works on virtio rings by itself, behind one descriptor.
 *
 * <pre>
 *   memory      a translation for each region, by write: guest address to this process's address
 *   status      0 --&gt; 3, features --&gt; 0xB --&gt; rings, enable --&gt; 0xF, each read back
 *   stop        SUSPEND of the whole device, then where each ring is
 *   go on       base, enable; then RESUME in the place of 0xF
 *   command     on a control queue that the guest does not see, while the device runs
 *   end of      stand-ins for all rings, 0xF, commands, SUSPEND: the device has done what it does at
 *   presetup    a start, and goes on with the guest's rings in the stop window
 * </pre>
 *
 * <p>The first stop of a ring suspends all of them, so the planner stops them all (the profile says
 * so). A device without SUSPEND is refused: nothing else says where its rings are.
 *
 * <p>Its ioctls wait for hardware or for a process, and cannot be interrupted. So plans run on a
 * thread of this device. One thread at a time calls this object.
 */
public final class VhostVdpaConnection implements Carrier, Turn.Steps {
  private static final int ACKNOWLEDGED = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;

  /** A device may have as many regions as one likes. */
  private static final int MEMORY_REGIONS = MemoryTable.MAX_REGIONS;

  /** The ioctls of each fact that a {@link Step.Set} carries. */
  private static final Map<Fact<?>, Row<?>> ROWS =
      Stream.<Row<?>>of(
              new Row<>(Fact.FEATURES, (to, _, features) -> to.features(features)),
              new Row<>(Fact.STATUS, (to, _, status) -> to.status(status)),
              new Row<>(Fact.SUSPENDED, (to, _, on) -> to.suspended(on)),
              new Row<>(Fact.CONTROL_QUEUE, (to, _, ring) -> to.setUpControlQueue(ring)),
              new Row<>(Fact.SIZE, (to, ring, size) -> to.ring(Ioctl.SET_VRING_NUM, ring, size)),
              new Row<>(Fact.BASE, (to, ring, base) -> to.ring(Ioctl.SET_VRING_BASE, ring, base)),
              new Row<>(Fact.STAND_IN, (to, ring, size) -> to.standIns.put(ring, size)),
              new Row<>(Fact.CALL, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_CALL, ring, fd)),
              new Row<>(Fact.ERR, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_ERR, ring, fd)),
              new Row<>(Fact.KICK, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_KICK, ring, fd)),
              new Row<>(Fact.SERVED, VhostVdpaConnection::enable))
          .collect(Collectors.toUnmodifiableMap(Row::fact, Function.identity()));

  private record Row<T>(Fact<T> fact, Call<T> call) {
    private void take(VhostVdpaConnection to, Step.Set<T> step) {
      call.make(to, step.ring(), step.value());
    }
  }

  private interface Call<T> {
    void make(VhostVdpaConnection to, int ring, T value);
  }

  private final String name;
  private final String path;
  private final DeviceFile file;
  private final DeviceThread thread;
  private final MappedMemory memory = new MappedMemory();
  private final VdpaMemory guestMemory;

  /** In the address space of the control queue; empty if it is not used. */
  private final VdpaMemory controlMemory;

  private final BackEndCapabilities capabilities;
  private final VdpaOffer offer;

  /** For one question, or one command. */
  private final Duration answersWithin;

  private final StandInRings standIns;

  /** Null: the device has none that this process can use. */
  private final @Nullable ControlQueue control;

  /** Rings that were enabled since the last reset. */
  private final BitSet enabled = new BitSet();

  private boolean closed;

  private VhostVdpaConnection(
      String name,
      DescriptorLedger ledger,
      String path,
      DeviceThread thread,
      Duration answersWithin,
      DeviceFile file,
      VdpaOffer offer,
      BackEndCapabilities capabilities,
      @Nullable ControlQueue control) {
    this.name = name;
    this.path = path;
    this.thread = thread;
    this.answersWithin = answersWithin;
    this.file = file;
    this.offer = offer;
    this.control = control;
    boolean batches = offer.has(KernelFeature.IOTLB_BATCH);
    guestMemory = new VdpaMemory(file, path, batches, 0, thread::leftBehind);
    controlMemory = new VdpaMemory(file, path, batches, ControlQueue.SPACE, thread::leftBehind);
    standIns = new StandInRings(file, path, guestMemory, offer.lastAddress(), ledger);
    this.capabilities = capabilities;
    if (control != null) {
      controlMemory.add(control.memory().region(), control.memory().mapping());
    }
  }

  /**
   * Opens a device, which resets it.
   *
   * @param name of the device, for errors
   * @param ledger that counts descriptors
   * @param node {@code /dev/vhost-vdpa-0}, for example
   * @param startsEarly whether explicit presetup is possible
   * @param within how long that may take, and each question and command later
   * @return the connection, which the caller closes
   * @throws VhostException (RETRY) if another process uses it; (GIVE_UP) if it is not there, not
   *     allowed, no network device, or has no SUSPEND; a {@link io.github.jvhost.DeadlineException}
   *     if the kernel has not returned in time. What it opens later is closed then
   */
  public static VhostVdpaConnection open(
      String name, DescriptorLedger ledger, Path node, boolean startsEarly, Duration within) {
    String path = node.toString();
    var thread = new DeviceThread(name, ledger);
    var made = new AtomicReference<@Nullable VhostVdpaConnection>();
    try {
      return thread.ask(
          "open " + path,
          () -> {
            var connection = opened(name, ledger, path, startsEarly, thread, within);
            made.set(connection);
            return connection;
          },
          Deadline.after(within));
    } catch (RuntimeException e) {
      thread.end(() -> {
        VhostVdpaConnection late = made.get();
        if (late != null) {
          late.closeAll();
        }
      });
      throw e;
    }
  }

  private static VhostVdpaConnection opened(
      String name,
      DescriptorLedger ledger,
      String path,
      boolean startsEarly,
      DeviceThread thread,
      Duration within) {
    DeviceFile file = DeviceFile.open(ledger, path);
    ControlQueue control = null;
    try {
      VdpaOffer offer = VdpaOffer.ask(file, path);
      if (!offer.whyNot().isEmpty()) {
        throw new VhostException("%s: %s".formatted(path, offer.whyNot()), Recovery.GIVE_UP);
      }
      if (offer.takesCommands()) {
        control = ControlQueue.create(file, path, within, ledger);
      }
      BackEndCapabilities capabilities = capabilities(offer, startsEarly);
      return new VhostVdpaConnection(
          name, ledger, path, thread, within, file, offer, capabilities, control);
    } catch (RuntimeException | Error e) {
      file.close();
      if (control != null) {
        control.close();
      }
      throw e;
    }
  }

  private static BackEndCapabilities capabilities(VdpaOffer offer, boolean startsEarly) {
    long without = NetFeature.ACCESS_PLATFORM.mask();
    boolean control = offer.takesCommands();
    if (control) {
      without |= NetFeature.RING_PACKED.mask(); // the device's control queue would be packed too
    }
    if (offer.queuePairs() == 1) {
      without |= NetFeature.MQ.mask();
    }
    return new BackEndCapabilities(
        (offer.features() & ~without) | NetFeature.GUEST_ANNOUNCE.mask(),
        new BackEndProtocol.VhostVdpa(
            offer.mac(), control, startsEarly, offer.maxRingSize(), offer.maxMtu()),
        offer.queuePairs(),
        MEMORY_REGIONS,
        BackEndProfile.VHOST_VDPA);
  }

  /**
   * For rehearsals: makes the calls of a real connection, on a thread of its own, and nobody hears
   * them. It has no control queue.
   *
   * @param name of the device, for errors
   * @param ledger that counts descriptors
   * @param capabilities of the real one
   * @return the connection, which the caller closes
   */
  public static VhostVdpaConnection rehearsed(
      String name, DescriptorLedger ledger, BackEndCapabilities capabilities) {
    VdpaOffer offer = VdpaOffer.ofRehearsal();
    DeviceFile file = DeviceFile.deaf(ledger);
    try {
      return new VhostVdpaConnection(
          name,
          ledger,
          "a rehearsal",
          new DeviceThread(name, ledger),
          Duration.ZERO,
          file,
          offer,
          capabilities,
          null);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private String doing(String what) {
    return what + " " + path;
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline, StoppedRings rings) {
    return thread.execution(new Turn(name, plan, rings, this), name, deadline);
  }

  @Override
  public boolean usable() {
    return !closed && !thread.leftBehind();
  }

  /** {@return -1: the kernel says nothing by itself, but for the err eventfds} */
  @Override
  public int number() {
    return -1;
  }

  @Override
  public @Nullable VhostException look(Deadline deadline) {
    return null;
  }

  @Override
  public byte[] config(int offset, int size) {
    return thread.ask(
        "read the configuration of " + path,
        () -> file.config(offset, size, path),
        Deadline.after(answersWithin));
  }

  // ---- steps; they run on the device's thread ----

  @Override
  public @Nullable Integer take(Step step) {
    switch (step) {
      case Step.Set<?> s -> set(s);
      case Step.SetRingAddress s -> address(s);
      case Step.AddRegion(MemoryRegion region) -> {
        guestMemory.add(region, memory.mapping(region));
      }
      case Step.RemoveRegion(MemoryRegion region) -> {
        guestMemory.remove(region);
        memory.unmap(region);
      }
      case Step.ReadStatus(int required) -> readStatus(required);
      case Step.Command(ControlCommand command, var _) -> command(command);
      case Step.StopRing(int ring) -> {
        return file.ring(Ioctl.GET_VRING_BASE, ring, 0, doing("ask where ring " + ring + " is of"));
      }
      default -> throw new IllegalStateException("vhost-vdpa is not told: " + step);
    }
    return null;
  }

  @SuppressWarnings("unchecked") // a row is found by its own fact
  private <T> void set(Step.Set<T> step) {
    Row<T> row = (Row<T>) ROWS.get(step.fact());
    if (row == null) {
      throw new IllegalStateException("vhost-vdpa has no ioctl for " + step.fact());
    }
    row.take(this, step);
  }

  @Override
  public int calls() {
    return file.calls();
  }

  /** So that a device that runs goes on without memory that it could not have. */
  @Override
  public void requirePossible(Plan plan) {
    long more = 0;
    for (PlannedStep step : plan.steps()) {
      more +=
          switch (step.step()) {
            case Step.AddRegion(MemoryRegion region) -> region.size();
            case Step.RemoveRegion(MemoryRegion region) -> -region.size();
            default -> 0;
          };
    }
    guestMemory.requireMayLock(more);
  }

  @Override
  public boolean givenUp() {
    return thread.leftBehind();
  }

  private void features(long features) {
    writeStatus(ACKNOWLEDGED, 0);
    file.setLong(Ioctl.SET_FEATURES, offer.agreed(features), doing("set features of"));
  }

  /** No bit may be taken away, but by a reset. */
  private void status(int wanted) {
    if (wanted == 0) {
      reset();
    } else {
      writeStatus(ACKNOWLEDGED | wanted, wanted);
    }
  }

  private void suspended(boolean on) {
    if (on) {
      file.value(Ioctl.VDPA_SUSPEND, 0, doing("suspend"));
    } else {
      file.value(Ioctl.VDPA_RESUME, 0, doing("resume"));
    }
  }

  private void setUpControlQueue(int ring) {
    if (control != null) { // a rehearsal has none
      control.setUp(ring);
    }
  }

  private void command(ControlCommand command) {
    if (control != null) {
      control.command(command);
    }
  }

  /** Writes the status, and reads it back: the ioctl does not say whether the device took it. */
  private void writeStatus(int next, int required) {
    file.setByte(Ioctl.VDPA_SET_STATUS, next, doing("set the status of"));
    readStatus(required);
  }

  private void readStatus(int required) {
    int now = file.getByte(Ioctl.VDPA_GET_STATUS, doing("ask"));
    boolean broken = (now & (DeviceStatus.FAILED | DeviceStatus.NEEDS_RESET)) != 0;
    if (broken || (now & required) != required) {
      throw new BackEndRefusedException(
          "%s has status %s: the device did not take what it was told, or has failed"
              .formatted(path, DeviceStatus.describe(now)));
    }
  }

  /** Without PERSIST the device loses its translations, and vhost does not notice. */
  private void reset() {
    file.setByte(Ioctl.VDPA_SET_STATUS, 0, doing("reset"));
    enabled.clear();
    if (!offer.has(KernelFeature.IOTLB_PERSIST)) {
      guestMemory.tellAgain();
      controlMemory.tellAgain();
    }
  }

  private void ring(Ioctl call, int ring, int number) {
    file.ring(call, ring, number, doing("set ring " + ring + " of"));
  }

  private void eventfd(Ioctl call, int ring, RingEventfd eventfd) {
    int number =
        switch (eventfd) {
          case RingEventfd.NoFd _ -> -1;
          case RingEventfd.Fd(OwnedDescriptor descriptor) -> descriptor.number();
        };
    ring(call, ring, number);
  }

  /** A device takes the base when its ring is enabled, so an enabled one is switched off first. */
  private void enable(int ring, boolean on) {
    if (on && enabled.get(ring)) {
      ring(Ioctl.VDPA_SET_VRING_ENABLE, ring, 0);
    }
    ring(Ioctl.VDPA_SET_VRING_ENABLE, ring, on ? 1 : 0);
    enabled.set(ring, on);
  }

  private void address(Step.SetRingAddress step) {
    RingAddresses at = step.addresses();
    file.address(
        step.ring(),
        0,
        at.descriptor(),
        at.used(),
        at.available(),
        0,
        doing("set the address of ring " + step.ring() + " of"));
  }

  /**
   * Closes the device, which forgets everything. If an ioctl has not returned, its thread closes
   * the device when it does; until then nobody else can open it.
   */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      thread.end(this::closeAll);
    }
  }

  @Override
  public boolean awaitClosed(Deadline deadline) {
    return thread.awaitEnd(deadline);
  }

  private void closeAll() {
    file.close();
    memory.close();
    standIns.close();
    if (control != null) {
      control.close();
    }
  }
}
