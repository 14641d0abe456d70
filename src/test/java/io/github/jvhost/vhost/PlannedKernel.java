package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.DeviceConfig.Lifecycle;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.RingConfig;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Test aid: a model of the kernel's back ends. It refuses what the kernel refuses, and what the
 * kernel takes and then does wrong.
 *
 * <pre>
 *   both      a ring is served without memory or address                  EFAULT
 *             memory goes that has a ring that is served                  taken, and wrong
 *   net       size or base of a ring that is served                       EBUSY
 *             LOG_ALL without a log                                       taken, and wrong
 *   vdpa      features behind FEATURES_OK                                 EBUSY
 *             base or address behind DRIVER_OK, unless suspended          EINVAL
 *             base of a ring that is enabled                              taken, and wrong
 *             a command of a device that does not run                     not answered
 * </pre>
 */
final class PlannedKernel implements ModelledBackEnd {
  private static final int RINGS = 8;

  private final SplittableRandom random;
  private final BackEndCapabilities capabilities;
  private final boolean vdpa;
  private final ToldCommands told;
  private final Map<Fact<?>, Object> device = new HashMap<>();
  private final KernelRing[] rings = new KernelRing[RINGS];
  private Shadow shadow = Shadow.nothingHeld();

  private DeviceConfig reached =
      new DeviceConfig(Lifecycle.STOPPED, 0, null, MemoryTable.EMPTY, null, List.of(), 0);

  private static final class KernelRing {
    private final Map<Fact<?>, Object> facts = new HashMap<>();
    private boolean logged;
    private boolean served;
    private int index;
    private @Nullable Integer stoppedAt;

    /** Where the last start found it. */
    private int startedAt;
  }

  private PlannedKernel(SplittableRandom random, BackEndProtocol protocol, BackEndProfile profile) {
    this.random = random;
    this.vdpa = protocol instanceof BackEndProtocol.VhostVdpa;
    this.capabilities =
        new BackEndCapabilities(
            NetFeature.BACK_END | NetFeature.COMMANDS | VhostFeature.LOG_ALL,
            protocol,
            RINGS / 2,
            64,
            profile);
    this.told = new ToldCommands(random, capabilities.ownMac());
    Arrays.setAll(rings, _ -> new KernelRing());
  }

  static PlannedKernel net(SplittableRandom random) {
    return new PlannedKernel(random, new BackEndProtocol.VhostNet(), BackEndProfile.VHOST_NET);
  }

  static PlannedKernel vdpa(SplittableRandom random) {
    Optional<MacAddress> mac =
        random.nextBoolean() ? Optional.of(new MacAddress(1)) : Optional.empty();
    var protocol =
        new BackEndProtocol.VhostVdpa(mac, random.nextBoolean(), random.nextBoolean(), 256, 1500);
    return new PlannedKernel(random, protocol, BackEndProfile.VHOST_VDPA);
  }

  @Override
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  @Override
  public void usedInMemory(int ring, int index) {
    // The kernel takes its available index from the base alone.
  }

  @Override
  public @Nullable Integer stoppedAt(int ring) {
    return rings[ring].stoppedAt;
  }

  @Override
  public boolean packed() {
    return NetFeature.RING_PACKED.in(reached.features());
  }

  @Override
  public boolean wouldGoOn(int ring, RingConfig wanted, long features) {
    if (reached.lifecycle() != Lifecycle.RUNNING || ring >= reached.rings().size()) {
      return false;
    }
    RingConfig before = reached.rings().get(ring);
    return shadow.ring(ring).get(Fact.BASE).isHeld()
        && before.isSetUp()
        && (features | VhostFeature.LOG_ALL) == (reached.features() | VhostFeature.LOG_ALL)
        && Objects.equals(wanted.size(), before.size())
        && Objects.equals(wanted.addresses(), before.addresses())
        && isServedOrWas(ring);
  }

  private boolean isServedOrWas(int ring) {
    return rings[ring].facts.get(Fact.SERVED) != null;
  }

  @Override
  public Plan reach(DeviceConfig desired) {
    Plan plan = Planner.plan(shadow, desired, capabilities);
    @Nullable Integer[] bases = new Integer[plan.steps().size()];
    for (int i = 0; i < bases.length; i++) {
      bases[i] = take(plan.steps().get(i).step(), plan.describe());
    }
    shadow =
        shadow.after(
            plan, new Outcome(bases.length, Arrays.asList(bases), bases.length, 0, 0, 0, null));
    return plan;
  }

  private @Nullable Integer take(Step step, String plan) {
    switch (step) {
      case Step.Set<?> s when s.ring() == Step.NO_RING -> device(s.fact(), s.value(), plan);
      case Step.AddRegion(MemoryRegion region) when vdpa ->
          device(Fact.MEMORY, memory().with(region), plan);
      case Step.RemoveRegion(MemoryRegion region) when vdpa ->
          device(Fact.MEMORY, memory().without(region.name()), plan);
      case Step.Command(ControlCommand command, var _) -> {
        assertThat(!vdpa || works())
            .as("a command of a device that does not run\n%s", plan)
            .isTrue();
        assertThat(!vdpa || device.containsKey(Fact.CONTROL_QUEUE)).as(plan).isTrue();
        told.take(command, plan);
      }
      case Step.ReadStatus(int required) when vdpa ->
          assertThat(status() & required).isEqualTo(required);
      case Step.Set<?> s -> ring(rings[s.ring()], s.fact(), s.value(), plan);
      case Step.SetRingAddress s -> {
        KernelRing ring = rings[s.ring()];
        assertThat(runs(ring) && (vdpa || !s.addresses().equals(ring.facts.get(Fact.ADDRESS))))
            .as("the address of a ring that is served changes\n%s", plan)
            .isFalse();
        ring.facts.put(Fact.ADDRESS, s.addresses());
        ring.logged = s.logUsed();
      }
      case Step.StopRing(int index) -> {
        KernelRing ring = rings[index];
        assertThat(vdpa && works()).as("GET_VRING_BASE is not to be trusted\n%s", plan).isFalse();
        ring.served = false;
        ring.facts.remove(Fact.SERVED);
        ring.stoppedAt = ring.index;
        return ring.index;
      }
      case Step.ResumeRing(int index) -> {
        int base = Objects.requireNonNull(rings[index].stoppedAt);
        ring(rings[index], Fact.BASE, base, plan);
        return base;
      }
      default -> throw new AssertionError("not offered: " + step + "\n" + plan);
    }
    return null;
  }

  private void device(Fact<?> fact, Object value, String plan) {
    boolean featuresOk = (status() & DeviceStatus.FEATURES_OK) != 0;
    assertThat(vdpa && fact == Fact.FEATURES && featuresOk).as("EBUSY\n%s", plan).isFalse();
    if (fact == Fact.FEATURES) {
      features((Long) value);
    } else if (fact == Fact.CONTROL_QUEUE) {
      assertThat(featuresOk && !works()).as("the control queue\n%s", plan).isTrue();
      boolean all =
          device.get(Fact.FEATURES) instanceof Long features && NetFeature.MQ.in(features);
      assertThat(value).as(plan).isEqualTo(all ? RINGS : 2);
    } else if (fact == Fact.SUSPENDED) {
      boolean driverOk = (status() & DeviceStatus.DRIVER_OK) != 0;
      assertThat(driverOk).as("SUSPEND and RESUME do nothing before DRIVER_OK\n%s", plan).isTrue();
    }
    if (fact == Fact.STATUS) {
      status((Integer) value);
    } else {
      device.put(fact, value);
    }
    for (KernelRing ring : rings) {
      assertThat(runs(ring) && !liesInMemory(ring)).as("memory goes\n%s", plan).isFalse();
    }
  }

  /** A log is no reason to tell a tap its offloads again. */
  private void features(long now) {
    boolean logs =
        device.get(Fact.FEATURES) instanceof Long before && (before ^ now) == VhostFeature.LOG_ALL;
    if (!logs) {
      told.negotiated(now);
    }
  }

  /** A bit that is there stays. */
  private void status(int wanted) {
    device.put(Fact.STATUS, wanted == 0 ? 0 : status() | wanted);
    if (wanted == 0) {
      device.keySet().removeAll(Set.of(Fact.FEATURES, Fact.SUSPENDED, Fact.CONTROL_QUEUE));
      told.reset();
      for (KernelRing ring : rings) {
        ring.facts.keySet().retainAll(Set.of(Fact.KICK));
        ring.served = false;
      }
    }
  }

  private boolean works() {
    return (status() & DeviceStatus.DRIVER_OK) != 0 && !suspended();
  }

  private boolean suspended() {
    return Boolean.TRUE.equals(device.get(Fact.SUSPENDED));
  }

  private int status() {
    return device.get(Fact.STATUS) instanceof Integer status ? status : 0;
  }

  private MemoryTable memory() {
    return device.get(Fact.MEMORY) instanceof MemoryTable table ? table : MemoryTable.EMPTY;
  }

  /** Whether the back end may touch it now. */
  private boolean runs(KernelRing ring) {
    return ring.served && (!vdpa || works());
  }

  private void ring(KernelRing ring, Fact<?> fact, Object value, String plan) {
    if (fact == Fact.SIZE || fact == Fact.BASE) {
      assertThat(ring.served).as("%s of a ring that is served\n%s", fact, plan).isFalse();
    }
    if (vdpa && (fact == Fact.BASE || fact == Fact.STAND_IN)) {
      assertThat(works()).as("EINVAL\n%s", plan).isFalse();
    }
    ring.facts.put(fact, value);
    if (fact == Fact.BASE) {
      ring.index = (Integer) value;
    } else if (fact == Fact.STAND_IN) {
      ring.facts.remove(Fact.ADDRESS);
      ring.index = -1;
    } else if (fact == Fact.SERVED) {
      ring.served = (Boolean) value;
      if (ring.served) {
        assertThat(device).as(plan).containsKey(Fact.FEATURES);
        assertThat(liesInMemory(ring)).as("EFAULT\n%s", plan).isTrue();
        ring.startedAt = ring.index;
      }
      ring.index += random.nextInt(3);
    }
  }

  private boolean liesInMemory(KernelRing ring) {
    MemoryTable table = memory();
    return ring.facts.get(Fact.ADDRESS) instanceof RingAddresses at
        && table.contains(at.descriptor(), 1)
        && table.contains(at.used(), 1)
        && table.contains(at.available(), 1);
  }

  @Override
  public void check(DeviceConfig desired, Plan plan, String story) {
    assertThat(Planner.plan(shadow, desired, capabilities).describe()).as(story).isEmpty();
    boolean running = desired.lifecycle() == Lifecycle.RUNNING;
    for (int i = 0; i < RINGS; i++) {
      RingConfig wanted =
          i < desired.rings().size() ? desired.rings().get(i) : RingConfig.NOT_SET_UP;
      String what = "ring " + i + "\n" + story;
      assertThat(rings[i].served)
          .as(what)
          .isEqualTo(running && wanted.isSetUp() && wanted.enabled());
      if (running && wanted.isSetUp()) {
        checkRing(rings[i], i, wanted, desired, plan, what);
      }
    }
    if (vdpa) {
      checkDevice(desired, plan, story);
    }
    if (!desired.lifecycle().isStopped()) {
      assertThat(device.get(Fact.FEATURES)).as(story).isEqualTo(desired.features());
      assertThat(device.get(Fact.MEMORY)).as(story).isEqualTo(desired.memory());
      boolean logs = (desired.features() & VhostFeature.LOG_ALL) != 0;
      assertThat(logs && device.get(Fact.LOG) == null).as(story).isFalse();
    }
    if (running && desired.control() != null) {
      told.check(desired.control(), capabilities.commands(), story);
    }
    reached = desired;
  }

  private void checkDevice(DeviceConfig desired, Plan plan, String story) {
    boolean running = desired.lifecycle() == Lifecycle.RUNNING;
    if (desired.lifecycle().isEarly()) {
      assertThat(status() & DeviceStatus.FEATURES_OK).as(story).isNotZero();
      assertThat(works()).as(story).isFalse();
    } else {
      assertThat(status()).as(story).isEqualTo(running ? DeviceStatus.RUNNING : 0);
      assertThat(suspended()).as(story).isFalse();
    }
    if (running) {
      List<Step> steps = plan.steps().stream().map(PlannedStep::step).toList();
      assertThat(steps.stream().dropWhile(s -> !served(s)))
          .as("a ring is served before the device was given its commands\n%s", story)
          .noneMatch(Step.Command.class::isInstance);
    }
  }

  private static boolean served(Step step) {
    return step instanceof Step.Set<?> set && set.fact() == Fact.SERVED;
  }

  private void checkRing(
      KernelRing held, int index, RingConfig wanted, DeviceConfig desired, Plan plan, String what) {
    boolean wentOn = wouldGoOn(index, wanted, desired.features());
    assertThat(held.facts.get(Fact.SIZE)).as(what).isEqualTo(wanted.size());
    assertThat(held.facts.get(Fact.ADDRESS)).as(what).isEqualTo(wanted.addresses());
    assertThat(held.facts.get(Fact.KICK)).as(what).isEqualTo(wanted.kick());
    assertThat(held.facts.get(Fact.CALL)).as(what).isEqualTo(wanted.call());
    assertThat(held.logged).as(what).isEqualTo(wanted.logUsed());
    boolean started =
        plan.steps().stream()
            .anyMatch(s -> s.step().equals(new Step.Set<>(Fact.SERVED, index, true)));
    if (started && !wentOn) {
      assertThat(held.startedAt).as("where it starts, %s", what).isEqualTo(wanted.base());
    }
  }
}
