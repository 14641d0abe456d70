package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: configurations of a small device in few words, and the names of a plan's steps.
 *
 * <pre>
 *   RAM "low"  0 .. 64 MiB     ring i at i MiB: descriptors, + 32 KiB available, + 48 KiB used
 *   RAM "high" 4 GiB .. + 64 MiB
 * </pre>
 */
public final class Configs implements AutoCloseable {
  public static final Dialect WITH_PRESETUP = Dialect.custom("test", 40, 60);
  public static final long HIGH = 1L << 32;
  public static final long FEATURES =
      VhostFeature.PROTOCOL_FEATURES
          | NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF, NetFeature.MQ);
  public static final RingEventfd NO_DESCRIPTOR = new RingEventfd.NoFd();
  private static final int RINGS = 8;
  private static final long REGION = 64 << 20;
  private static final long USER = 0x7000_0000_0000L;

  public final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final List<Runnable> open = new ArrayList<>();
  private final List<RingEventfd> kicks = new ArrayList<>();
  private final List<RingEventfd> calls = new ArrayList<>();
  private final List<RingEventfd> otherCalls = new ArrayList<>();
  public final MemoryTable low;
  public final MemoryTable both;

  /** As large as "low", and as far as a back end is told the same: in another file. */
  public final MemoryTable moved;

  public final LogTarget log;
  public final LogTarget largerLog;

  /** Covers "low", and not "high". */
  public final LogTarget smallLog;

  public Configs() {
    for (int i = 0; i < RINGS; i++) {
      kicks.add(eventfd("kick " + i));
      calls.add(eventfd("call " + i));
      otherCalls.add(eventfd("other call " + i));
    }
    MemoryRegion lowRegion = region("low", 0, 0);
    low = new MemoryTable(List.of(lowRegion));
    both = low.with(region("high", HIGH, 0));
    moved = new MemoryTable(List.of(region("low", 0, 1L << 40)));
    log = new LogTarget(file("log", 1 << 18), 1 << 18);
    largerLog = new LogTarget(file("larger log", 1 << 19), 1 << 19);
    smallLog = new LogTarget(file("small log", 4096), 4096);
  }

  private RingEventfd eventfd(String what) {
    EventFd eventfd = EventFd.create(ledger, what);
    open.add(eventfd::close);
    return new RingEventfd.Fd(eventfd.descriptor());
  }

  private MemoryRegion region(String name, long guestAddress, long userOffset) {
    long user = USER + guestAddress + userOffset;
    return new MemoryRegion(name, guestAddress, REGION, user, 0, file(name, REGION));
  }

  private OwnedDescriptor file(String name, long size) {
    MemoryFile file = MemoryFile.create(ledger, name, size);
    open.add(file::close);
    return file.descriptor();
  }

  // ---- back ends ----

  public static BackEndCapabilities backEnd(BackEndProfile profile, ProtocolFeature... lacking) {
    long protocolFeatures =
        ProtocolFeature.maskOf(
            ProtocolFeature.MQ,
            ProtocolFeature.LOG_SHMFD,
            ProtocolFeature.RARP,
            ProtocolFeature.REPLY_ACK,
            ProtocolFeature.MTU,
            ProtocolFeature.STATUS);
    return new BackEndCapabilities(
        FEATURES | VhostFeature.LOG_ALL,
        protocolFeatures & ~ProtocolFeature.maskOf(lacking),
        4,
        Dialect.UPSTREAM,
        profile);
  }

  public static BackEndCapabilities backEndWithPresetup() {
    return backEndWithPresetup(BackEndProfile.GENERIC, WITH_PRESETUP);
  }

  /** It holds its rings until DRIVER_OK, as its profile says. */
  public static BackEndCapabilities vfeWithPresetup() {
    return backEndWithPresetup(BackEndProfile.NVIDIA_VFE, WITH_PRESETUP);
  }

  /** It holds its rings until DRIVER_OK, as its dialect says. */
  public static BackEndCapabilities ringsHeldByDialect() {
    return backEndWithPresetup(BackEndProfile.GENERIC, WITH_PRESETUP.withRingsHeld());
  }

  private static BackEndCapabilities backEndWithPresetup(BackEndProfile profile, Dialect dialect) {
    BackEndCapabilities plain = backEnd(profile);
    return new BackEndCapabilities(
        plain.features(), plain.protocolFeatures() | dialect.presetupMask(), 4, dialect, profile);
  }

  // ---- configurations ----

  /** A running device: MTU 1500, every ring of 256 entries, enabled, at base 100 + its number. */
  public DeviceConfig running(int pairs) {
    List<RingConfig> rings = new ArrayList<>();
    for (int i = 0; i < 2 * pairs; i++) {
      rings.add(ring(i, 100 + i));
    }
    return new DeviceConfig(Lifecycle.RUNNING, FEATURES, 1500, low, null, rings, 0);
  }

  public RingConfig ring(int index, int base) {
    return new RingConfig(
        256, place(index, 0), base, base, kicks.get(index), calls.get(index), true, false);
  }

  public RingEventfd kick(int index) {
    return kicks.get(index);
  }

  public RingEventfd call(int index, boolean other) {
    return (other ? otherCalls : calls).get(index);
  }

  public static RingAddresses place(int index, long offset) {
    long at = ((long) index << 20) + offset;
    return new RingAddresses(at, at + 0xc000, at + 0x8000);
  }

  public static DeviceConfig withRing(
      DeviceConfig config, int index, UnaryOperator<RingConfig> change) {
    List<RingConfig> rings = new ArrayList<>(config.rings());
    rings.set(index, change.apply(rings.get(index)));
    return config.with(config.lifecycle(), rings);
  }

  public static DeviceConfig withRings(DeviceConfig config, UnaryOperator<RingConfig> change) {
    return config.with(config.lifecycle(), config.rings().stream().map(change).toList());
  }

  public static DeviceConfig withMemory(DeviceConfig c, MemoryTable memory) {
    return new DeviceConfig(
        c.lifecycle(), c.features(), c.mtu(), memory, c.log(), c.rings(), c.generation());
  }

  /** The same device behind an IOMMU. */
  public static DeviceConfig translated(DeviceConfig c, List<Translation> translations) {
    return new DeviceConfig(
        c.lifecycle(),
        c.features() | NetFeature.ACCESS_PLATFORM.mask(),
        c.mtu(),
        c.memory(),
        c.log(),
        c.rings(),
        c.inflight(),
        translations,
        c.ringOrder(),
        c.control(),
        c.generation());
  }

  /** What a device that is to stop is to hold: the memory table, and no rings. */
  public static DeviceConfig stopped(DeviceConfig c) {
    return new DeviceConfig(
        DeviceConfig.Lifecycle.STOPPED, 0, null, c.memory(), null, List.of(), 0);
  }

  public static DeviceConfig withMtu(DeviceConfig c, @Nullable Integer mtu) {
    return new DeviceConfig(
        c.lifecycle(), c.features(), mtu, c.memory(), c.log(), c.rings(), c.generation());
  }

  public static DeviceConfig withFeatures(DeviceConfig c, long features) {
    return new DeviceConfig(
        c.lifecycle(), features, c.mtu(), c.memory(), c.log(), c.rings(), c.generation());
  }

  public static DeviceConfig withGeneration(DeviceConfig c, int generation) {
    return new DeviceConfig(
        c.lifecycle(), c.features(), c.mtu(), c.memory(), c.log(), c.rings(), generation);
  }

  public static DeviceConfig withControl(DeviceConfig c, @Nullable ControlState control) {
    return new DeviceConfig(
        c.lifecycle(),
        c.features(),
        c.mtu(),
        c.memory(),
        c.log(),
        c.rings(),
        c.inflight(),
        c.translations(),
        c.ringOrder(),
        control,
        c.generation());
  }

  /** Logging on, with everything that belongs to it; null: off. */
  public static DeviceConfig withLog(DeviceConfig c, @Nullable LogTarget log) {
    long features = c.features() & ~VhostFeature.LOG_ALL;
    return new DeviceConfig(
        c.lifecycle(),
        log == null ? features : features | VhostFeature.LOG_ALL,
        c.mtu(),
        c.memory(),
        log,
        c.rings().stream().map(r -> r.isSetUp() ? logged(r, log != null) : r).toList(),
        c.generation());
  }

  private static RingConfig logged(RingConfig r, boolean on) {
    return new RingConfig(
        r.size(), r.addresses(), r.base(), r.usedIndex(), r.kick(), r.call(), r.enabled(), on);
  }

  public static RingConfig sized(RingConfig r, int size) {
    return new RingConfig(
        size, r.addresses(), r.base(), r.usedIndex(), r.kick(), r.call(), r.enabled(), r.logUsed());
  }

  public static RingConfig at(RingConfig r, RingAddresses addresses) {
    return new RingConfig(
        r.size(), addresses, r.base(), r.usedIndex(), r.kick(), r.call(), r.enabled(), r.logUsed());
  }

  public static RingConfig enabled(RingConfig r, boolean on) {
    return new RingConfig(
        r.size(), r.addresses(), r.base(), r.usedIndex(), r.kick(), r.call(), on, r.logUsed());
  }

  /** The same ring that goes on elsewhere. */
  public static RingConfig from(RingConfig r, @Nullable Integer base, @Nullable Integer usedIndex) {
    return new RingConfig(
        r.size(),
        r.addresses(),
        base,
        usedIndex,
        r.kick(),
        r.call(),
        r.err(),
        r.enabled(),
        r.logUsed());
  }

  /** The same ring with another call. */
  public static RingConfig withoutKick(RingConfig r) {
    return new RingConfig(
        r.size(),
        r.addresses(),
        r.base(),
        r.usedIndex(),
        null,
        r.call(),
        r.err(),
        r.enabled(),
        r.logUsed());
  }

  public static RingConfig calling(RingConfig r, @Nullable RingEventfd call) {
    return new RingConfig(
        r.size(),
        r.addresses(),
        r.base(),
        r.usedIndex(),
        r.kick(),
        call,
        r.err(),
        r.enabled(),
        r.logUsed());
  }

  // ---- plans ----

  /** What a back end is known to hold that took all of a plan; rings stop where they began. */
  public static Shadow after(Shadow before, Plan plan) {
    @Nullable Integer[] bases = new Integer[plan.steps().size()];
    for (int i = 0; i < bases.length; i++) {
      if (plan.steps().get(i).step() instanceof Step.StopRing(int ring)) {
        bases[i] = before.ring(ring).get(Fact.BASE).orNull();
      } else if (plan.steps().get(i).step() instanceof Step.ResumeRing(int ring)) {
        bases[i] = before.ring(ring).get(Fact.BASE).orNull();
      }
    }
    return before.after(
        plan, new Outcome(bases.length, Arrays.asList(bases), bases.length, 1, 0, 0, null));
  }

  public static List<String> steps(Plan plan) {
    return plan.steps().stream().map(s -> name(s.step())).toList();
  }

  public static String name(Step step) {
    return switch (step) {
      case Step.Set<?> s -> name(s);
      case Step.ReadStatus _ -> "read status";
      case Step.AddRegion s -> "add " + s.region().name();
      case Step.RemoveRegion s -> "remove " + s.region().name();
      case Step.GetInflight _ -> "get inflight";
      case Step.ReturnInflight _ -> "set inflight";
      case Step.ResetDevice _ -> "reset device";
      case Step.Translate s -> "translate " + s.translation();
      case Step.Invalidate s -> "invalidate %x to %x".formatted(s.first(), s.last());
      case Step.Command s -> "command " + s.command();
      case Step.BeginPresetup _ -> "begin";
      case Step.EndPresetup _ -> "end";
      case Step.SetRingAddress s -> "address " + s.ring();
      case Step.ResumeRing s -> "base " + s.ring();
      case Step.StopRing s -> "stop " + s.ring();
    };
  }

  private static String name(Step.Set<?> s) {
    if (s.fact() == Fact.STATUS) {
      return "status " + Integer.toHexString((Integer) s.value());
    }
    if (s.fact() == Fact.ENABLED) {
      return (s.value().equals(true) ? "enable " : "disable ") + s.ring();
    }
    String fact =
        s.fact() == Fact.MEMORY
            ? "memory"
            : s.fact() == Fact.INFLIGHT
                ? "set inflight"
                : s.fact() == Fact.ORDER ? "order" : s.fact().name();
    return s.ring() == Step.NO_RING ? fact : fact + " " + s.ring();
  }

  @Override
  public void close() {
    open.forEach(Runnable::run);
  }
}
