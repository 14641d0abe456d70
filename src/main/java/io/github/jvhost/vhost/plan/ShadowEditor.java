package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How one step changes what a back end holds. The planner walks it ahead, to know what a step
 * further on will find; the outcome of an execution walks it again with what really happened, so
 * that both always agree.
 */
final class ShadowEditor {
  private final BackEndCapabilities capabilities;
  private Known<Long> features;
  private Known<Integer> status;
  private Known<Integer> mtu;
  private Known<MemoryTable> memory;
  private Known<LogTarget> log;
  private Known<Optional<InflightRegion>> inflight;

  /** What the back end answers when it is asked for an in-flight region. */
  private Known<Optional<InflightRegion>> received = Known.unknown();

  private final List<RingShadow> rings;
  private int generation;

  ShadowEditor(Shadow shadow, BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
    this.features = shadow.features();
    this.status = shadow.status();
    this.mtu = shadow.mtu();
    this.memory = shadow.memory();
    this.log = shadow.log();
    this.inflight = shadow.inflight();
    this.rings = shadow.ringsCopy();
    this.generation = shadow.generation();
  }

  Shadow toShadow() {
    return new Shadow(features, status, mtu, memory, log, inflight, rings, generation);
  }

  Known<Long> features() {
    return features;
  }

  Known<Integer> status() {
    return status;
  }

  Known<Integer> mtu() {
    return mtu;
  }

  Known<MemoryTable> memory() {
    return memory;
  }

  Known<LogTarget> log() {
    return log;
  }

  Known<Optional<InflightRegion>> inflight() {
    return inflight;
  }

  /**
   * The in-flight region that the back end made, before the steps that ask for it are walked; null:
   * it has none to share.
   */
  void received(@Nullable InflightRegion region) {
    received = Known.told(Optional.ofNullable(region));
  }

  RingShadow ring(int index) {
    return index < rings.size() ? rings.get(index) : RingShadow.NOTHING_TOLD;
  }

  int ringCount() {
    return rings.size();
  }

  void generation(int newGeneration) {
    generation = newGeneration;
  }

  /**
   * The back end took this step.
   *
   * @param stoppedAt of a {@link Step.StopRing} or of a {@link Step.SetRingBase} that follows one:
   *     the base that came back; null while that is not known yet
   */
  void apply(Step step, @Nullable Integer stoppedAt) {
    switch (step) {
      case Step.SetMtu s -> mtu = Known.told(s.mtu());
      case Step.SetFeatures s -> setFeatures(s.features());
      case Step.SetStatus s -> setStatus(s.status());
      case Step.SetMemory s -> setMemory(s.table());
      case Step.AddRegion s -> setRegions(memoryNow().with(s.region()), s.region());
      case Step.RemoveRegion s -> setRegions(memoryNow().without(s.region().name()), s.region());
      case Step.SetLog s -> log = Known.told(s.log());
      case Step.SetInflight s ->
          inflight = s.region() == null ? received : Known.told(Optional.of(s.region()));
      case Step.ResetDevice _ -> reset();
      case Step.GetInflight _, Step.ReadStatus _, Step.BeginPresetup _ -> {}
      case Step.EndPresetup _ -> forgetEarlyBases();
      case Step.OfRing s -> ring(s.ring(), after(ring(s.ring()), s, stoppedAt));
    }
    if (step instanceof Step.StopRing stop) {
      stopped(stop.ring());
    }
  }

  private RingShadow after(RingShadow r, Step.OfRing step, @Nullable Integer stoppedAt) {
    return switch (step) {
      // A ring of another size has other indexes, and reaches elsewhere.
      case Step.SetRingSize s ->
          r.withSize(Known.told(s.size()))
              .withBase(RingShadow.mayBeGone(r.base()))
              .withAddresses(RingShadow.mayBeGone(r.addresses()));
      case Step.SetRingBase s -> r.withBase(known(s.base() != null ? s.base() : stoppedAt));
      case Step.SetRingAddress s -> {
        RingShadow told =
            r.withAddresses(Known.told(s.addresses())).withLogUsed(Known.told(s.logUsed()));
        yield r.run() == RingShadow.Run.STOPPED ? translatedOrWaiting(told) : told;
      }
      case Step.SetRingKick s -> {
        RingShadow told = r.withKick(Known.told(s.kick()));
        boolean starts = !capabilities.holdsRingsUntilDriverOk() || driverOkTold();
        yield starts ? started(told) : told;
      }
      case Step.SetRingCall s -> r.withCall(Known.told(s.call()));
      case Step.SetRingErr s -> r.withErr(Known.told(s.err()));
      case Step.SetRingOrder s -> r.withOrder(Known.told(s.order()));
      case Step.EnableRing s -> r.withEnabled(Known.told(s.enabled()));
      case Step.StopRing _ -> afterStop(r).withStoppedAt(stoppedAt);
    };
  }

  /**
   * Every back end forgets the kick. The specification promises nothing of what else a ring keeps
   * ("Ring states" and VHOST_USER_GET_VRING_BASE only say that it stops), and there are back ends
   * that keep nothing: what is not known of this one is told again, as QEMU does.
   */
  private RingShadow afterStop(RingShadow r) {
    RingShadow stopped =
        r.withRun(RingShadow.Run.STOPPED)
            .withBase(Known.unknown())
            .withAddresses(Known.unknown())
            .withLogUsed(Known.unknown())
            .withKick(Known.notTold())
            .withCall(Known.unknown());
    BackEndProfile profile = capabilities.profile();
    if (!profile.stopKeepsSize()) {
      stopped = stopped.withSize(RingShadow.mayBeGone(r.size()));
    }
    return profile.stopKeepsEnable()
        ? stopped
        : stopped
            .withEnabled(RingShadow.mayBeGone(r.enabled()))
            .withErr(RingShadow.mayBeGone(r.err()))
            .withOrder(RingShadow.mayBeGone(r.order()));
  }

  private static RingShadow started(RingShadow r) {
    return r.withRun(RingShadow.Run.STARTED).withStoppedAt(null);
  }

  private static Known<Integer> known(@Nullable Integer base) {
    return base == null ? Known.unknown() : Known.told(base);
  }

  /** A step that failed, was not answered, or came behind one: what it was about is not known. */
  void forget(Step step) {
    switch (step) {
      case Step.SetMtu _ -> mtu = Known.unknown();
      case Step.SetFeatures _ -> features = Known.unknown();
      case Step.SetStatus _ -> {
        status = Known.unknown();
        rings.replaceAll(r -> r.withRun(RingShadow.Run.UNKNOWN));
      }
      case Step.SetMemory _, Step.AddRegion _, Step.RemoveRegion _ -> memory = Known.unknown();
      case Step.SetLog _ -> log = Known.unknown();
      case Step.SetInflight _ -> inflight = Known.unknown();
      case Step.ResetDevice _ -> {
        reset();
        status = Known.unknown();
      }
      case Step.GetInflight _, Step.ReadStatus _, Step.BeginPresetup _ -> {}
      case Step.EndPresetup _ -> forgetEarlyBases();
      case Step.OfRing s -> ring(s.ring(), forget(ring(s.ring()), s));
    }
  }

  private static RingShadow forget(RingShadow r, Step.OfRing step) {
    boolean mayRunOrNot = step instanceof Step.SetRingKick || step instanceof Step.StopRing;
    return mayRunOrNot ? r.forgotten().withRun(RingShadow.Run.UNKNOWN) : r.forgotten();
  }

  /** Other features make another device: DPDK drops rings that it had without MQ, for one. */
  private void setFeatures(long value) {
    Long held = features.orNull();
    if (held != null && withoutLogBit(held) != withoutLogBit(value)) {
      rings.replaceAll(RingShadow::afterReset);
    }
    features = Known.told(value);
  }

  private void setStatus(int value) {
    status = Known.told(value);
    if (value == 0) {
      reset();
    } else if (driverOkTold() && capabilities.holdsRingsUntilDriverOk()) {
      rings.replaceAll(ShadowEditor::atDriverOk);
    }
  }

  /**
   * A reset: the back end may drop what belongs to the virtio device. The memory table, the MTU and
   * the log are vhost's and stay.
   */
  private void reset() {
    status = Known.told(0);
    features = Known.unknown();
    inflight = Known.notTold(); // what a former driver had in flight is no business of the next one
    rings.replaceAll(RingShadow::afterReset);
    generation = 0;
  }

  /** A ring that is complete starts; of one that the back end may hold complete nobody knows. */
  private static RingShadow atDriverOk(RingShadow r) {
    if (r.kick().isTold() && r.addresses().isTold()) {
      return started(r);
    }
    boolean incomplete =
        r.kick() instanceof Known.NotTold || r.addresses() instanceof Known.NotTold;
    return incomplete ? r : r.withRun(RingShadow.Run.UNKNOWN);
  }

  private void setMemory(MemoryTable table) {
    if (memory.is(table)) {
      return;
    }
    memory = Known.told(table);
    // Ring addresses were translated through the table before. A ring that runs keeps its own
    // translation (the planner stops it first where that would be wrong).
    rings.replaceAll(
        r -> r.run() == RingShadow.Run.STOPPED && r.addresses().isTold() ? toBeTranslated(r) : r);
  }

  private MemoryTable memoryNow() {
    MemoryTable told = memory.orNull();
    return told == null ? MemoryTable.EMPTY : told;
  }

  /** Only rings that lie in the region that came or went are translated anew. */
  private void setRegions(MemoryTable table, MemoryRegion changed) {
    if (memory instanceof Known.Unknown) {
      return; // with one region more or less it still is
    }
    memory = Known.told(table);
    rings.replaceAll(
        r -> r.run() == RingShadow.Run.STOPPED && liesIn(changed, r) ? toBeTranslated(r) : r);
  }

  private static boolean liesIn(MemoryRegion region, RingShadow ring) {
    RingAddresses at = ring.addresses().orNull();
    return at != null
        && (region.contains(at.descriptor(), 1)
            || region.contains(at.used(), 1)
            || region.contains(at.available(), 1));
  }

  private RingShadow toBeTranslated(RingShadow r) {
    return translatedOrWaiting(r.withAddresses(Known.unknown()));
  }

  /** Of a ring that is not in use DPDK translates the addresses at the next kick only. */
  private RingShadow translatedOrWaiting(RingShadow r) {
    boolean waitsForKick =
        capabilities.profile().takesUsedIndexAtTranslation() && !r.enabled().is(true);
    return waitsForKick ? r.withKick(RingShadow.mayBeGone(r.kick())) : r;
  }

  private void forgetEarlyBases() {
    rings.replaceAll(r -> r.withBase(Known.unknown()));
  }

  private void stopped(int index) {
    boolean together = capabilities.profile().stopsWholeDevice();
    if (capabilities.profile().stopClearsStatus() || together) {
      // Even where the byte stays, nothing runs until the back end is told of it again.
      status = Known.unknown();
    }
    if (together) {
      for (int i = 0; i < rings.size(); i++) {
        if (i != index && ring(i).run() == RingShadow.Run.STARTED) {
          ring(i, ring(i).withRun(RingShadow.Run.UNKNOWN));
        }
      }
    }
  }

  private boolean driverOkTold() {
    Integer told = status.orNull();
    return told != null && (told & DeviceStatus.DRIVER_OK) != 0;
  }

  private void ring(int index, RingShadow ring) {
    while (rings.size() <= index) {
      rings.add(RingShadow.NOTHING_TOLD);
    }
    rings.set(index, ring);
  }

  /** Features without the one bit that may change while the device runs. */
  static long withoutLogBit(long features) {
    return features & ~VhostFeature.LOG_ALL;
  }
}
