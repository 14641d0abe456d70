package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndState;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RingView;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.user.StepMessage;
import io.github.jvhost.virtio.NetFeature;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: a model of a back end, the shadow that a front end has of it, and a comparison of what
 * it holds with what it should hold. No sockets.
 */
final class PlannedBackEnd implements ModelledBackEnd {
  private final BackEndState state;
  private final BackEndCapabilities capabilities;
  private final int[] used;
  private final @Nullable Integer[] ranFrom;
  private final @Nullable Integer[] stoppedAt;
  private final OwnedDescriptor anyFile;
  private Shadow shadow = Shadow.nothingHeld();
  private DeviceConfig reached;

  PlannedBackEnd(
      Personality personality,
      BackEndProfile profile,
      boolean presetup,
      SplittableRandom random,
      OwnedDescriptor anyFile) {
    this.anyFile = anyFile;
    BackEndOffer offer =
        BackEndOffer.of(personality)
            .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
    if (presetup) {
      offer = offer.withDialect(Configs.WITH_PRESETUP);
    } else if (random.nextInt(4) == 0) {
      offer = offer.without(ProtocolFeature.STATUS);
    }
    if (random.nextInt(3) == 0) {
      offer = offer.with(ProtocolFeature.CONFIGURE_MEM_SLOTS);
    }
    if (random.nextInt(3) == 0) {
      offer = offer.with(ProtocolFeature.INFLIGHT_SHMFD);
    }
    if (random.nextInt(3) == 0) {
      offer = offer.with(ProtocolFeature.RESET_DEVICE);
    }
    this.used = new int[offer.rings()];
    this.ranFrom = new Integer[offer.rings()];
    this.stoppedAt = new Integer[offer.rings()];
    this.state = new BackEndState(offer, ring -> used[ring]);
    long protocolFeatures = offer.offeredProtocolFeatures();
    state.handle(FrontEndRequest.SET_PROTOCOL_FEATURES, new U64(protocolFeatures), 0);
    state.handle(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, 0);
    this.capabilities =
        new BackEndCapabilities(
            offer.features(),
            protocolFeatures,
            offer.queuePairs(),
            offer.memorySlots(),
            offer.dialect(),
            profile);
    this.reached =
        new DeviceConfig(Lifecycle.STOPPED, 0, null, MemoryTable.EMPTY, null, List.of(), 0);
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  Personality personality() {
    return state.offer().personality();
  }

  @Override
  public void usedInMemory(int ring, int index) {
    used[ring] = index;
  }

  @Override
  public @Nullable Integer stoppedAt(int ring) {
    return stoppedAt[ring];
  }

  @Override
  public boolean packed() {
    return NetFeature.RING_PACKED.in(reached.features());
  }

  @Override
  public boolean isModern() {
    return personality() == Personality.LIBVHOST_USER;
  }

  @Override
  public boolean wouldGoOn(int ring, RingConfig wanted, long features) {
    if (reached.lifecycle() != Lifecycle.RUNNING || ring >= reached.rings().size()) {
      return false;
    }
    RingConfig before = reached.rings().get(ring);
    return before.isSetUp()
        && (features | VhostFeature.LOG_ALL) == (reached.features() | VhostFeature.LOG_ALL)
        && wanted.size() != null
        && wanted.size().equals(before.size())
        && wanted.addresses() != null
        && wanted.addresses().equals(before.addresses());
  }

  @Override
  public Plan reach(DeviceConfig desired) {
    Plan plan = Planner.plan(shadow, desired, capabilities);
    state.guestMemoryComplete(!desired.lifecycle().isEarly());
    List<PlannedStep> steps = plan.steps();
    @Nullable Integer[] bases = new Integer[steps.size()];
    InflightRegion made = null;
    for (int i = 0; i < bases.length; i++) {
      Step step = steps.get(i).step();
      Integer where = step instanceof Step.ResumeRing(int ring) ? stoppedAt[ring] : null;
      StepMessage message = StepMessage.of(step, where, made, false);
      var outcome =
          state.handle(message.request(), message.payload(), message.descriptors().size());
      assertThat(outcome.tookEffect())
          .as("%s: %s\n%s", steps.get(i).describe(), outcome.reason(), plan.describe())
          .isTrue();
      bases[i] = where;
      if (step instanceof Step.StopRing(int ring)) {
        int base = ((VringState) outcome.answer()).num();
        bases[i] = base;
        stoppedAt[ring] = base;
      }
      if (step instanceof Step.GetInflight) {
        made = new InflightRegion(anyFile, (Inflight) outcome.answer());
      }
      if (step instanceof Step.ReadStatus(int required)) {
        assertThat(((U64) outcome.answer()).value() & required).isEqualTo(required);
      }
    }
    shadow =
        shadow.after(
            plan,
            new Outcome(bases.length, Arrays.asList(bases), made, bases.length, 1, 0, 0, null));
    return plan;
  }

  @Override
  public void check(DeviceConfig desired, Plan plan, String story) {
    assertThat(state.violations()).as(story).isEmpty();
    String left =
        aPresetRingIsGone(desired) ? "" : Planner.plan(shadow, desired, capabilities).describe();
    assertThat(left).as("there is nothing left to tell\n%s", story).isEmpty();
    switch (desired.lifecycle()) {
      case STOPPED, RESET -> {
        assertThat(state.isAnyStarted()).as(story).isFalse();
        assertThat(state.status()).as(story).isZero();
      }
      case PRESET, PRESET_EXPLICIT -> {
        checkDevice(desired, 8, story);
        assertThat(state.isAnyStarted()).as(story).isFalse();
        for (int i = 0; i < desired.rings().size(); i++) {
          checkEarlyRing(desired, i, story);
        }
      }
      case RUNNING -> {
        checkDevice(desired, 0xf, story);
        for (int i = 0; i < state.offer().rings(); i++) {
          boolean setUp = i < desired.rings().size() && desired.rings().get(i).isSetUp();
          if (setUp) {
            checkRing(desired, plan, i, story);
          } else {
            checkGone(i, story);
          }
        }
      }
    }
    reached = desired;
  }

  /** A ring that explicit presetup told, and that went before the start, is stopped after it. */
  private boolean aPresetRingIsGone(DeviceConfig desired) {
    for (int i = 0; i < shadow.rings().size(); i++) {
      boolean setUp = i < desired.rings().size() && desired.rings().get(i).isSetUp();
      if (!setUp && shadow.ring(i).run() != RingShadow.Run.STOPPED) {
        return capabilities.hasPresetup() && desired.lifecycle() == Lifecycle.RUNNING;
      }
    }
    return false;
  }

  private void checkDevice(DeviceConfig desired, int status, String story) {
    assertThat(state.features()).as(story).isEqualTo(desired.features());
    assertThat(state.status()).as(story).isEqualTo(capabilities.hasStatus() ? status : 0);
    if (desired.mtu() != null) {
      assertThat(state.mtu()).as(story).isEqualTo(desired.mtu());
    }
    assertThat(state.memory())
        .as(story)
        .containsExactlyInAnyOrderElementsOf(
            desired.memory().regions().stream().map(PlannedBackEnd::payload).toList());
  }

  private static MemoryRegionPayload payload(MemoryRegion r) {
    return new MemoryRegionPayload(r.guestAddress(), r.size(), r.userAddress(), r.fileOffset());
  }

  private void checkEarlyRing(DeviceConfig desired, int index, String story) {
    RingConfig wanted = desired.rings().get(index);
    RingView held = state.ring(index);
    if (wanted.size() == null) {
      return;
    }
    assertThat(held.size()).as(story).isEqualTo(wanted.size());
    assertThat(held.enabled()).as(story).isEqualTo(wanted.enabled());
    assertThat(held.callTold()).as(story).isEqualTo(wanted.call() != null);
    if (wanted.addresses() != null) {
      checkAddress(desired, index, story);
      assertThat(held.kickTold()).as(story).isTrue();
    }
  }

  private void checkAddress(DeviceConfig desired, int index, String story) {
    VringAddress held = state.ring(index).address();
    RingConfig wanted = desired.rings().get(index);
    assertThat(held).as("address of ring %d\n%s", index, story).isNotNull();
    RingAddresses at = wanted.addresses();
    if (held != null && at != null) {
      assertThat(held.descriptor())
          .as(story)
          .isEqualTo(desired.memory().userAddressOf(at.descriptor(), 1));
      assertThat(held.used()).as(story).isEqualTo(desired.memory().userAddressOf(at.used(), 1));
      assertThat(held.flags()).as(story).isEqualTo(wanted.logUsed() ? VringAddress.LOG : 0);
    }
  }

  private void checkRing(DeviceConfig desired, Plan plan, int index, String story) {
    RingConfig wanted = desired.rings().get(index);
    RingView held = state.ring(index);
    String what = "ring " + index + ": " + held + "\n" + story;
    assertThat(held.size()).as(what).isEqualTo(wanted.size());
    assertThat(held.enabled()).as(what).isEqualTo(wanted.enabled());
    assertThat(held.kickTold()).as(what).isTrue();
    assertThat(held.callTold()).as(what).isTrue();
    checkAddress(desired, index, what);
    assertThat(held.started()).as(what).isEqualTo(runs(desired, index));
    boolean goesOn = wouldGoOn(index, wanted, desired.features());
    Integer from = ranFrom[index];
    if (goesOn && from != null) {
      assertThat(held.base()).as("not rewound, " + what).isEqualTo(from);
    } else if (held.started() && !goesOn) {
      assertThat(held.base()).as(what).isEqualTo(firstBase(desired, wanted, index));
      if (wanted.usedIndex() != null) {
        boolean reads = personality().indexRule() != Personality.IndexRule.NOTHING;
        int next = reads ? used[index] : held.base();
        assertThat(held.nextUsed()).as(what).isEqualTo(next);
      }
    }
    boolean told =
        plan.steps().stream().anyMatch(s -> s.step().ring() == index && isBase(s.step()));
    assertThat(goesOn || told).as("a ring that starts is told where, " + what).isTrue();
    ranFrom[index] = held.started() ? held.base() : null;
  }

  private static boolean isBase(Step step) {
    return step instanceof Step.ResumeRing
        || (step instanceof Step.Set<?> set && set.fact() == Fact.BASE);
  }

  /** What this kind of back end makes of the base that it is told. */
  private int firstBase(DeviceConfig desired, RingConfig wanted, int index) {
    int told = wanted.base() == null ? 0 : wanted.base();
    if (NetFeature.RING_PACKED.in(desired.features())) {
      return personality().baseSetsUsed() ? told & 0xffff : told;
    }
    return personality().indexRule() == Personality.IndexRule.BOTH ? used[index] : told;
  }

  private boolean runs(DeviceConfig desired, int index) {
    boolean enabled = desired.rings().get(index).enabled();
    return switch (personality().start()) {
      case KICK -> true;
      case KICK_AND_ENABLE -> enabled;
      case DEVICE_READY -> enabled && inUse(desired, 0) && inUse(desired, 1);
    };
  }

  private static boolean inUse(DeviceConfig desired, int ring) {
    RingConfig wanted = desired.rings().get(ring);
    return wanted.isSetUp() && wanted.enabled();
  }

  /** A ring that is gone does not run, or, where only a kick counts, is at least not in use. */
  private void checkGone(int index, String story) {
    RingView held = state.ring(index);
    assertThat(held.started() && held.enabled())
        .as("ring %d is gone: %s\n%s", index, held, story)
        .isFalse();
    if (!capabilities.hasPresetup()) {
      assertThat(held.started()).as("ring %d is gone\n%s", index, story).isFalse();
    }
    ranFrom[index] = null;
  }
}
