package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * vhost-net: the kernel moves packets between the guest's rings and a tap. Each queue pair has an
 * open {@code /dev/vhost-net} and a queue of the tap. What concerns the device as a whole is told
 * to all of them.
 *
 * <p>The table has one row a fact: which ioctl it is. The other steps are in {@link #take}.
 *
 * <p>One thread at a time. It owns the descriptors that it opens.
 */
public final class VhostNetConnection implements Carrier, Turn.Steps {
  private static final String DEVICE = "/dev/vhost-net";

  /** Flag of SET_VRING_ADDR: writes to the used ring are logged. */
  private static final int VRING_F_LOG = 1;

  /** The descriptor that takes an eventfd or a tap away. */
  private static final int NONE = -1;

  /**
   * Here bit 27 is not ANY_LAYOUT: vhost would make the packets' headers itself. With bit 33 it
   * would ask for translations.
   */
  private static final long NEVER =
      NetFeature.maskOf(NetFeature.ANY_LAYOUT, NetFeature.ACCESS_PLATFORM);

  /** The ioctls of each fact that a {@link Step.Set} carries. */
  private static final Map<Fact<?>, Row<?>> ROWS =
      Stream.<Row<?>>of(
              new Row<>(Fact.FEATURES, (to, _, features) -> to.features(features)),
              new Row<>(Fact.MEMORY, (to, _, table) -> to.memory(table)),
              new Row<>(Fact.LOG, (to, _, log) -> to.log(log)),
              new Row<>(Fact.SIZE, (to, ring, size) -> to.ring(Ioctl.SET_VRING_NUM, ring, size)),
              new Row<>(Fact.BASE, (to, ring, base) -> to.ring(Ioctl.SET_VRING_BASE, ring, base)),
              new Row<>(Fact.CALL, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_CALL, ring, fd)),
              new Row<>(Fact.ERR, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_ERR, ring, fd)),
              new Row<>(Fact.KICK, (to, ring, fd) -> to.eventfd(Ioctl.SET_VRING_KICK, ring, fd)),
              new Row<>(Fact.SERVED, VhostNetConnection::served))
          .collect(Collectors.toUnmodifiableMap(Row::fact, Function.identity()));

  private record Row<T>(Fact<T> fact, Call<T> call) {
    private void take(VhostNetConnection to, Step.Set<T> step) {
      call.make(to, step.ring(), step.value());
    }
  }

  private interface Call<T> {
    void make(VhostNetConnection to, int ring, T value);
  }

  private final String name;
  private final List<DeviceFile> pairs;
  private final List<TapQueue> taps;
  private final MappedMemory memory = new MappedMemory();
  private final BackEndCapabilities capabilities;
  private final long offered;

  /** The last is the log. After a failure some pairs may use one before it. */
  private final List<Mapping> logs = new ArrayList<>();

  // What the kernel was told last: it must not mark a page behind the log.
  private @Nullable LogTarget log;
  private MemoryTable table = MemoryTable.EMPTY;
  private long features;

  private boolean closed;

  private VhostNetConnection(
      String name,
      List<DeviceFile> pairs,
      List<TapQueue> taps,
      long offered,
      BackEndCapabilities capabilities) {
    this.name = name;
    this.pairs = pairs;
    this.taps = taps;
    this.offered = offered;
    this.capabilities = capabilities;
  }

  private static VhostNetConnection asked(
      String name, List<DeviceFile> pairs, List<TapQueue> taps) {
    VhostNetOffer offer = VhostNetOffer.ask(pairs.getFirst());
    long features =
        (offer.features() & ~NEVER)
            | TapQueue.featuresWith(System.getProperty("os.version", ""))
            | NetFeature.maskOf(NetFeature.MTU, NetFeature.GUEST_ANNOUNCE)
            | (pairs.size() > 1 ? NetFeature.MQ.mask() : 0);
    var capabilities =
        new BackEndCapabilities(
            features,
            new BackEndProtocol.VhostNet(),
            pairs.size(),
            offer.memoryRegions(),
            BackEndProfile.VHOST_NET);
    pairs.forEach(pair -> pair.value(Ioctl.SET_OWNER, 0, doing("become the owner of")));
    return new VhostNetConnection(name, pairs, taps, offer.features(), capabilities);
  }

  /**
   * For rehearsals: makes the calls of a real connection, which nobody hears.
   *
   * @param name of the device, for errors
   * @param ledger that counts descriptors
   * @param capabilities of the real one
   * @return the connection, which the caller closes
   */
  public static VhostNetConnection rehearsed(
      String name, DescriptorLedger ledger, BackEndCapabilities capabilities) {
    List<TapQueue> taps = TapQueue.rehearsed(ledger, capabilities.maxQueuePairs());
    return over(
        taps,
        () -> DeviceFile.deaf(ledger),
        pairs -> new VhostNetConnection(name, pairs, taps, capabilities.features(), capabilities));
  }

  /**
   * Opens a tap by its name, and vhost-net for each queue pair.
   *
   * @param name of the device, for errors
   * @param ledger that counts descriptors
   * @param tap the interface
   * @param queuePairs that the device has, 1 or more
   * @return the connection, which the caller closes
   * @throws VhostException with what to do, if one of the files cannot be opened or used
   */
  public static VhostNetConnection toTap(
      String name, DescriptorLedger ledger, String tap, int queuePairs) {
    return toTaps(name, ledger, TapQueue.open(ledger, tap, queuePairs));
  }

  /**
   * Uses queues of a tap that somebody else has opened, with VNET_HDR and without packet
   * information.
   *
   * @param name of the device, for errors
   * @param ledger that counts descriptors
   * @param queues one for each queue pair; the caller keeps them
   * @return the connection, which the caller closes
   * @throws VhostException with what to do, if vhost-net cannot be opened or used
   */
  public static VhostNetConnection toQueues(
      String name, DescriptorLedger ledger, List<OwnedDescriptor> queues) {
    return toTaps(name, ledger, TapQueue.of(queues));
  }

  private static VhostNetConnection toTaps(
      String name, DescriptorLedger ledger, List<TapQueue> taps) {
    return over(taps, () -> DeviceFile.open(ledger, DEVICE), pairs -> asked(name, pairs, taps));
  }

  /** Opens a device for each tap queue. If anything fails, all are closed. */
  private static VhostNetConnection over(
      List<TapQueue> taps,
      Supplier<DeviceFile> opened,
      Function<List<DeviceFile>, VhostNetConnection> connection) {
    List<DeviceFile> pairs = new ArrayList<>(taps.size());
    try {
      for (int i = 0; i < taps.size(); i++) {
        pairs.add(opened.get());
      }
      return connection.apply(pairs);
    } catch (RuntimeException e) {
      pairs.forEach(DeviceFile::close);
      taps.forEach(TapQueue::close);
      throw e;
    }
  }

  private static String doing(String what) {
    return what + " " + DEVICE;
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public Execution begin(Plan plan, Deadline deadline, StoppedRings rings) {
    return new Turn(name, plan, rings, this);
  }

  @Override
  public boolean usable() {
    return !closed;
  }

  /** {@return -1: the kernel says nothing by itself, but for the err eventfds} */
  @Override
  public int number() {
    return NONE;
  }

  @Override
  public @Nullable VhostException look(Deadline deadline) {
    return null;
  }

  @Override
  public boolean announce(byte[] mac) {
    return taps.getFirst().send(Rarp.frame(mac));
  }

  // ---- steps ----

  @Override
  public @Nullable Integer take(Step step) {
    switch (step) {
      case Step.Set<?> s -> set(s);
      case Step.SetRingAddress s -> address(s);
      case Step.Command(ControlCommand.Offloads(long offloads), var _) ->
          taps.getFirst().offloads(offloads); // of all queues
      case Step.StopRing(int ring) -> {
        return stop(ring);
      }
      default -> throw new IllegalStateException("vhost-net is not told: " + step);
    }
    return null;
  }

  @SuppressWarnings("unchecked") // a row is found by its own fact
  private <T> void set(Step.Set<T> step) {
    Row<T> row = (Row<T>) ROWS.get(step.fact());
    if (row == null) {
      throw new IllegalStateException("vhost-net has no ioctl for " + step.fact());
    }
    row.take(this, step);
  }

  @Override
  public int calls() {
    int calls = 0;
    for (int i = 0; i < pairs.size(); i++) {
      calls += pairs.get(i).calls() + taps.get(i).calls();
    }
    return calls;
  }

  /** {@return false: these calls are made on the thread that would give them up} */
  @Override
  public boolean givenUp() {
    return false;
  }

  private void features(long features) {
    long changed = features ^ this.features;
    this.features = features;
    requireLogCovers(table);
    if (changed != VhostFeature.LOG_ALL) { // else a command may have set other offloads
      taps.forEach(tap -> tap.features(features));
    }
    long own = features & offered & ~NEVER;
    pairs.forEach(pair -> pair.setLong(Ioctl.SET_FEATURES, own, doing("set features of")));
  }

  /** The kernel does not compare them. It would mark pages in other memory of this process. */
  private void requireLogCovers(MemoryTable all) {
    LogTarget target = log;
    if ((features & VhostFeature.LOG_ALL) != 0 && target != null) {
      target.requireCovers(all);
    }
  }

  private void memory(MemoryTable table) {
    requireLogCovers(table);
    long[] addresses = new long[table.regions().size()];
    for (int i = 0; i < addresses.length; i++) {
      addresses[i] = memory.map(table.regions().get(i));
    }
    for (DeviceFile pair : pairs) {
      MemorySegment argument = pair.scratch();
      argument.set(JAVA_INT, 0, addresses.length);
      argument.set(JAVA_INT, 4, 0);
      for (int i = 0; i < addresses.length; i++) {
        MemoryRegion region = table.regions().get(i);
        long at = 8 + 32L * i;
        argument.set(JAVA_LONG, at, region.guestAddress());
        argument.set(JAVA_LONG, at + 8, region.size());
        argument.set(JAVA_LONG, at + 16, addresses[i]);
        argument.set(JAVA_LONG, at + 24, 0);
      }
      pair.argument(Ioctl.SET_MEM_TABLE, doing("tell guest memory to"));
    }
    this.table = table;
    memory.keepOnly(table);
  }

  /** The log before is unmapped when no pair uses it any more. */
  private void log(LogTarget target) {
    target.requireCovers(table);
    Mapping now = MappedMemory.map(target.descriptor(), 0, target.size());
    logs.add(now); // from the first pair on it may be written
    pairs.forEach(
        pair -> pair.setLong(Ioctl.SET_LOG_BASE, now.address(), doing("tell the dirty log to")));
    log = target;
    while (logs.size() > 1) {
      logs.removeFirst().close();
    }
  }

  private DeviceFile pair(int ring) {
    return pairs.get(ring / 2);
  }

  private static int index(int ring) {
    return ring % 2;
  }

  private void ring(Ioctl call, int ring, int number) {
    pair(ring).ring(call, index(ring), number, doing("set ring " + ring + " of"));
  }

  private void eventfd(Ioctl call, int ring, RingEventfd eventfd) {
    int number =
        switch (eventfd) {
          case RingEventfd.NoFd _ -> NONE;
          case RingEventfd.Fd(OwnedDescriptor descriptor) -> descriptor.number();
        };
    ring(call, ring, number);
  }

  private void address(Step.SetRingAddress step) {
    RingAddresses at = step.addresses();
    MemoryTable table =
        Objects.requireNonNull(step.memory(), "a device behind an IOMMU was refused");
    DeviceFile pair = pair(step.ring());
    pair.address(
        index(step.ring()),
        step.logUsed() ? VRING_F_LOG : 0,
        memory.addressOf(table, at.descriptor()),
        memory.addressOf(table, at.used()),
        memory.addressOf(table, at.available()),
        step.logAddress(),
        doing("set the address of ring " + step.ring() + " of"));
  }

  private void served(int ring, boolean served) {
    TapQueue tap = taps.get(ring / 2);
    boolean receives = index(ring) == 0;
    if (served && receives) {
      tap.attach();
    }
    ring(Ioctl.NET_SET_BACKEND, ring, served ? tap.number() : NONE);
    if (!served && !receives) {
      tap.detach(); // the pair is not used any more, so its share of packets goes to the others
    }
  }

  /** Disconnects the ring from the tap, and asks where it is. */
  private int stop(int ring) {
    DeviceFile pair = pair(ring);
    MemorySegment argument = pair.scratch();
    argument.set(JAVA_INT, 0, index(ring));
    argument.set(JAVA_INT, 4, NONE);
    int result = pair.tryCall(Ioctl.NET_SET_BACKEND, argument.address());
    // EFAULT: nothing of the ring was told, so it never ran.
    if (result < 0 && result != -Errno.EFAULT) {
      throw Errno.failure(doing("stop ring " + ring + " of"), Ioctl.NET_SET_BACKEND, -result);
    }
    taps.get(ring / 2).stopped();
    return pair.ring(Ioctl.GET_VRING_BASE, index(ring), 0, doing("ask where ring " + ring + " of"));
  }

  /** Ends all rings. The kernel uses neither memory nor log afterwards. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      pairs.forEach(DeviceFile::close);
      taps.forEach(TapQueue::close);
      memory.close();
      logs.forEach(Mapping::close);
    }
  }
}
