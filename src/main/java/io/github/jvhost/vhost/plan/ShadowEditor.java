package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Says how one step changes what a back end holds. The planner applies each step in advance, to
 * know what a later step will find. {@link Shadow#after} applies the steps again with what really
 * happened, so that both always agree.
 */
final class ShadowEditor {
  private final BackEndCapabilities capabilities;
  private final BackEndProfile profile;
  private Facts device;

  /** The in-flight region that the back end answered with; unknown before it was asked. */
  private Known<Optional<InflightRegion>> received = Known.unknown();

  private final List<RingShadow> rings;
  private int generation;

  ShadowEditor(Shadow shadow, BackEndCapabilities capabilities) {
    this.capabilities = capabilities;
    this.profile = capabilities.profile();
    this.device = shadow.device();
    this.rings = shadow.ringsCopy();
    this.generation = shadow.generation();
  }

  Shadow toShadow() {
    return new Shadow(device, rings, generation);
  }

  /** What is known of a fact of the device. */
  <T> Known<T> get(Fact<T> fact) {
    return device.get(fact);
  }

  /** What is known of a fact of a ring, or of the device if the ring is {@link Step#NO_RING}. */
  <T> Known<T> get(Fact<T> fact, int ring) {
    return ring == Step.NO_RING ? device.get(fact) : ring(ring).get(fact);
  }

  private <T> void put(Fact<T> fact, int ring, Known<T> now) {
    if (ring == Step.NO_RING) {
      device = device.with(fact, now);
    } else {
      ring(ring, ring(ring).with(fact, now));
    }
  }

  /**
   * Sets the in-flight region that the back end made; null: it has none to share. Called before the
   * steps that ask for the region are applied.
   */
  void received(@Nullable InflightRegion region) {
    received = Known.held(Optional.ofNullable(region));
  }

  RingShadow ring(int index) {
    return index < rings.size() ? rings.get(index) : RingShadow.NOTHING_HELD;
  }

  int ringCount() {
    return rings.size();
  }

  void generation(int newGeneration) {
    generation = newGeneration;
  }

  // ---- a step that was taken ----

  /**
   * The back end took this step.
   *
   * @param stoppedAt for a {@link Step.ResumeRing}: the base that the back end returned when the
   *     ring stopped; null while that is not known yet
   */
  void apply(Step step, @Nullable Integer stoppedAt) {
    switch (step) {
      case Step.Set<?> s -> set(s);
      case Step.SetRingAddress s -> {
        put(Fact.LOG_USED, s.ring(), Known.held(s.logUsed()));
        set(new Step.Set<>(Fact.ADDRESS, s.ring(), s.addresses()));
      }
      case Step.Translate(Translation one, MemoryTable _) -> {
        translations(translations().with(new Translations.Told(one, false)));
        everyRing(r -> r.run() == RingShadow.Run.STOPPED && liesIn(one, r) ? translated(r) : r);
      }
      case Step.Invalidate(long first, long last) ->
          translations(translations().without(first, last));
      case Step.Command(var _, ControlState reached) ->
          put(Fact.CONTROL, Step.NO_RING, reached == null ? Known.unknown() : Known.held(reached));
      case Step.StopRing(int ring) -> stopped(ring);
      case Step.ResumeRing(int ring) ->
          put(Fact.BASE, ring, stoppedAt == null ? Known.unknown() : Known.held(stoppedAt));
      case Step.AddRegion(MemoryRegion region) -> regionChanged(memory().with(region), region);
      case Step.RemoveRegion(MemoryRegion region) ->
          regionChanged(memory().without(region.name()), region);
      case Step.ReturnInflight _ -> put(Fact.INFLIGHT, Step.NO_RING, received);
      case Step.ResetDevice _ -> reset();
      case Step.EndPresetup _ -> presetupEnded();
      case Step.GetInflight _, Step.ReadStatus _, Step.BeginPresetup _ -> {}
    }
  }

  private <T> void set(Step.Set<T> s) {
    Known<T> before = get(s.fact(), s.ring());
    put(s.fact(), s.ring(), Known.held(s.value()));
    s.fact().takesEffect(this, s.ring(), before);
  }

  // ---- a step whose result is not known ----

  /** A step failed, was not answered, or followed such a step: its facts become unknown. */
  void forget(Step step) {
    switch (step) {
      case Step.ResetDevice _ -> {
        reset();
        put(Fact.STATUS, Step.NO_RING, Known.unknown());
      }
      case Step.EndPresetup _ -> presetupEnded();
      case Step.AddRegion _, Step.RemoveRegion _ -> put(Fact.MEMORY, Step.NO_RING, Known.unknown());
      case Step.Translate(Translation one, MemoryTable _) ->
          translations(translations().with(new Translations.Told(one, true)));
      case Step.Invalidate _ -> mayHaveDroppedTranslations();
      case Step.ReturnInflight _ -> put(Fact.INFLIGHT, Step.NO_RING, Known.unknown());
      case Step.Command _ -> put(Fact.CONTROL, Step.NO_RING, Known.unknown());
      case Step.GetInflight _, Step.ReadStatus _, Step.BeginPresetup _ -> {}
      case Step.Set<?>(var fact, int ring, var _) when ring == Step.NO_RING -> {
        put(fact, ring, Known.unknown());
        if (fact == Fact.STATUS || fact == Fact.SUSPENDED) {
          everyRing(r -> r.with(RingShadow.Run.UNKNOWN));
        }
      }
      case Step.Set<?>(var fact, int ring, var _) ->
          forgetRing(ring, fact == Fact.KICK || fact == Fact.SERVED);
      case Step.StopRing(int ring) -> forgetRing(ring, true);
      case Step.SetRingAddress _, Step.ResumeRing _ -> forgetRing(step.ring(), false);
    }
  }

  private void forgetRing(int index, boolean mayRunOrNot) {
    RingShadow forgotten = ring(index).forgotten();
    ring(index, mayRunOrNot ? forgotten.with(RingShadow.Run.UNKNOWN) : forgotten);
  }

  // ---- what a fact changes besides: the column "effect" ----

  /**
   * With other features the device is another one. For example, DPDK drops rings that it had
   * without MQ. A tap is told its offloads with them.
   */
  void featuresChanged(Known<Long> before) {
    Long held = before.orNull();
    Long now = get(Fact.FEATURES).orNull();
    boolean same = held != null && now != null && withoutLogBit(held) == withoutLogBit(now);
    if (same) {
      return;
    }
    device = device.mayHaveForgotten(Fact.CONTROL);
    if (held != null && now != null && !mayChangeFeatures(held, now)) {
      everyRing(RingShadow::afterReset);
      mayHaveDroppedTranslations();
    }
  }

  /**
   * Whether the back end can be sent these features alone, with all else as it is. The layout of
   * rings, how many there are and how they are addressed stay: what was sent of them depends on it.
   */
  boolean mayChangeFeatures(long held, long now) {
    long ofRings =
        NetFeature.RING_PACKED.mask() | NetFeature.MQ.mask() | VhostFeature.IOMMU_PLATFORM;
    return ((held ^ now) & ofRings) == 0 && rings.stream().allMatch(this::isUnsettled);
  }

  /** Whether the back end looks at what it was sent of a ring when the ring gets its kick. */
  private boolean isUnsettled(RingShadow r) {
    boolean runsSurelyNot =
        switch (get(Fact.STATUS)) {
          case Known.NotSent<?> _ -> true;
          case Known.Held<Integer>(Integer status) -> (status & DeviceStatus.DRIVER_OK) == 0;
          case Known.Unknown<?> _ -> false;
        };
    return profile.settlesRingsAtKick()
        && capabilities.hasStatus()
        && runsSurelyNot
        && r.run() == RingShadow.Run.STOPPED
        && r.get(Fact.KICK) instanceof Known.NotSent;
  }

  void statusChanged() {
    if (get(Fact.STATUS).is(0)) {
      reset();
    } else if (isDriverOk() && capabilities.holdsRingsUntilDriverOk()) {
      everyRing(ShadowEditor::atDriverOk);
    }
  }

  /** The base of each ring that ran has to be asked for. */
  void suspendedChanged() {
    if (get(Fact.SUSPENDED).is(true)) {
      everyRing(ShadowEditor::stoppedWithTheOthers);
    }
  }

  private static RingShadow stoppedWithTheOthers(RingShadow r) {
    return r.run() == RingShadow.Run.STARTED ? r.with(RingShadow.Run.UNKNOWN) : r;
  }

  /** A complete ring starts. Whether a ring runs that may be complete is not known. */
  private static RingShadow atDriverOk(RingShadow r) {
    Known<RingEventfd> kick = r.get(Fact.KICK);
    Known<RingAddresses> addresses = r.get(Fact.ADDRESS);
    if (kick.isHeld() && addresses.isHeld()) {
      return started(r);
    }
    boolean incomplete = kick instanceof Known.NotSent || addresses instanceof Known.NotSent;
    return incomplete ? r : r.with(RingShadow.Run.UNKNOWN);
  }

  private static RingShadow started(RingShadow r) {
    return r.with(RingShadow.Run.STARTED);
  }

  /**
   * The back end translated ring addresses with the memory table before. A ring that runs keeps its
   * translation; the planner stops it first where that would be wrong.
   */
  void memoryReplaced(Known<MemoryTable> before) {
    if (!before.equals(get(Fact.MEMORY))) {
      mayHaveDroppedTranslations();
      everyRing(r ->
          r.run() == RingShadow.Run.STOPPED && r.get(Fact.ADDRESS).isHeld()
              ? toBeTranslated(r)
              : r);
    }
  }

  /** A ring of another size has other indexes and covers other memory. */
  void sizeChanged(int index) {
    RingShadow ring = ring(index).mayHaveForgotten(Fact.BASE);
    ring(index, isUnsettled(ring) ? ring : ring.mayHaveForgotten(Fact.ADDRESS));
  }

  /** The device works on another ring than the guest's, and not from the guest's base on. */
  void standInSent(int index) {
    RingShadow elsewhere = ring(index).with(Fact.BASE, Known.unknown());
    ring(index, elsewhere.mayHaveForgotten(Fact.ADDRESS));
  }

  void addressSent(int index) {
    if (!(ring(index).get(Fact.STAND_IN) instanceof Known.NotSent)) {
      ring(index, ring(index).with(Fact.STAND_IN, Known.notSent()));
    }
    if (ring(index).run() == RingShadow.Run.STOPPED) {
      ring(index, translatedOrWaiting(ring(index)));
    }
  }

  void kickSent(int index) {
    boolean starts = !capabilities.holdsRingsUntilDriverOk() || isDriverOk();
    if (starts && !capabilities.startsRingsByStep()) {
      ring(index, started(ring(index)));
    }
  }

  /** A ring that is not served any more still has to be asked where it is, as if it ran. */
  void servedSent(int index) {
    ring(index, started(ring(index)));
  }

  // ---- the rest ----

  private MemoryTable memory() {
    MemoryTable held = get(Fact.MEMORY).orNull();
    return held == null ? MemoryTable.EMPTY : held;
  }

  /** The back end translates again only the rings that lie in the added or removed region. */
  private void regionChanged(MemoryTable table, MemoryRegion changed) {
    if (get(Fact.MEMORY) instanceof Known.Unknown) {
      return; // it stays unknown
    }
    put(Fact.MEMORY, Step.NO_RING, Known.held(table));
    boolean anywhere = get(Fact.TRANSLATIONS).isHeld(); // ring addresses say nothing of a region
    mayHaveDroppedTranslations();
    everyRing(r ->
        r.run() == RingShadow.Run.STOPPED && (anywhere || liesIn(changed, r))
            ? toBeTranslated(r)
            : r);
  }

  private Translations translations() {
    Translations held = get(Fact.TRANSLATIONS).orNull();
    return held == null ? Translations.NONE : held;
  }

  private void translations(Translations now) {
    put(Fact.TRANSLATIONS, Step.NO_RING, Known.held(now));
  }

  private void mayHaveDroppedTranslations() {
    if (get(Fact.TRANSLATIONS).isHeld()) {
      translations(translations().inDoubt());
    }
  }

  /** Whether a translation has an address of the ring. A ring of unknown size has the largest. */
  private static boolean liesIn(Translation one, RingShadow ring) {
    RingAddresses at = ring.get(Fact.ADDRESS).orNull();
    Integer size = ring.get(Fact.SIZE).orNull();
    return at != null && at.touches(one, size == null ? RingConfig.MAX_SIZE : size);
  }

  /** The back end finds the ring now, and then some back ends take its used index for the base. */
  private RingShadow translated(RingShadow r) {
    return profile.takesUsedIndexAtTranslation() ? r.mayHaveForgotten(Fact.BASE) : r;
  }

  private static boolean liesIn(MemoryRegion region, RingShadow ring) {
    RingAddresses at = ring.get(Fact.ADDRESS).orNull();
    return at != null
        && (region.contains(at.descriptor(), 1)
            || region.contains(at.used(), 1)
            || region.contains(at.available(), 1));
  }

  private RingShadow toBeTranslated(RingShadow r) {
    return translatedOrWaiting(r.with(Fact.ADDRESS, Known.unknown()));
  }

  /** DPDK translates the addresses of a disabled ring only at the next kick. */
  private RingShadow translatedOrWaiting(RingShadow r) {
    boolean waitsForKick = profile.takesUsedIndexAtTranslation() && !r.get(Fact.ENABLED).is(true);
    return waitsForKick ? r.mayHaveForgotten(Fact.KICK) : r;
  }

  /**
   * At a reset the back end may drop what belongs to the virtio device. The memory table, the MTU
   * and the log belong to vhost and stay.
   */
  private void reset() {
    device = device.afterReset();
    mayHaveDroppedTranslations();
    everyRing(RingShadow::afterReset);
    generation = 0;
  }

  /** The bases were only for the time being. */
  private void presetupEnded() {
    everyRing(r -> r.with(Fact.BASE, Known.unknown()));
  }

  private void stopped(int index) {
    ring(index, ring(index).afterStop(profile));
    mayHaveDroppedTranslations();
    boolean together = profile.stopsWholeDevice();
    if (profile.stopClearsStatus() || (together && !capabilities.freezesRings())) {
      // Even if the back end keeps the byte, no ring runs until DRIVER_OK is sent again.
      put(Fact.STATUS, Step.NO_RING, Known.unknown());
    }
    if (together) {
      everyRing(ShadowEditor::stoppedWithTheOthers);
    }
  }

  private boolean isDriverOk() {
    Integer held = get(Fact.STATUS).orNull();
    return held != null && (held & DeviceStatus.DRIVER_OK) != 0;
  }

  private void everyRing(UnaryOperator<RingShadow> change) {
    rings.replaceAll(change);
  }

  private void ring(int index, RingShadow ring) {
    while (rings.size() <= index) {
      rings.add(RingShadow.NOTHING_HELD);
    }
    rings.set(index, ring);
  }

  /** Features without the one bit that may change while the device runs. */
  static long withoutLogBit(long features) {
    return features & ~VhostFeature.LOG_ALL;
  }
}
