package io.github.jvhost.vhost.plan;

import static io.github.jvhost.vhost.plan.Configs.FEATURES;
import static io.github.jvhost.vhost.plan.Configs.after;
import static io.github.jvhost.vhost.plan.Configs.steps;
import static io.github.jvhost.vhost.plan.Configs.withGeneration;
import static io.github.jvhost.vhost.plan.Configs.withMtu;
import static io.github.jvhost.vhost.plan.Configs.withRing;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the plan of a first start and of presetup is, step by step. */
class PlannerTest {
  private static final BackEndCapabilities GENERIC = Configs.backEnd(BackEndProfile.GENERIC);
  private static final BackEndCapabilities DPDK = Configs.backEnd(BackEndProfile.DPDK);
  private static final BackEndCapabilities PRESETUP = Configs.backEndWithPresetup();
  private static final Shadow NOTHING = Shadow.nothingHeld();

  private final Configs configs = new Configs();

  @AfterEach
  void close() {
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  // ---- first start ----

  @Test
  void aFirstStartTellsEverything() {
    Plan plan = Planner.plan(NOTHING, configs.running(1), GENERIC);

    assertThat(steps(plan))
        .containsExactly(
            "mtu",
            "features",
            "status 8",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "base 0",
            "address 0",
            "kick 0",
            "enable 1",
            "base 1",
            "address 1",
            "kick 1",
            "status f");
    assertThat(plan.readsStatusAtEnd()).isTrue();
    assertThat(plan.steps())
        .filteredOn(s -> !(s.step() instanceof Step.Set<?> set && set.fact() == Fact.STATUS))
        .extracting(PlannedStep::why)
        .containsOnly(Why.NOT_SENT);
  }

  @Test
  void whatTheBackEndHasNotNegotiatedIsNotTold() {
    BackEndCapabilities poor =
        Configs.backEnd(
            BackEndProfile.GENERIC,
            ProtocolFeature.STATUS,
            ProtocolFeature.MTU,
            ProtocolFeature.REPLY_ACK);

    Plan plan = Planner.plan(NOTHING, configs.running(1), poor);

    assertThat(steps(plan))
        .containsExactly(
            "features",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "base 0",
            "address 0",
            "kick 0",
            "enable 1",
            "base 1",
            "address 1",
            "kick 1");
    assertThat(plan.readsStatusAtEnd()).isFalse();
    assertThat(plan.steps()).extracting(PlannedStep::answer).containsOnly(Answer.NONE);
  }

  @Test
  void aRingThatWasNeverSetUpIsToldNothing() {
    DeviceConfig desired = withRing(configs.running(2), 2, _ -> RingConfig.NOT_SET_UP);

    assertThat(steps(Planner.plan(NOTHING, desired, GENERIC)))
        .noneMatch(step -> step.endsWith(" 2"))
        .contains("kick 1", "kick 3");
  }

  @Test
  void aRunningDeviceThatDoesNotChangeIsToldNothing() {
    for (BackEndCapabilities backEnd : List.of(GENERIC, DPDK, PRESETUP)) {
      Shadow shadow = started(configs.running(2), backEnd);

      assertThat(Planner.plan(shadow, configs.running(2), backEnd).isEmpty()).isTrue();
    }
  }

  // ---- presetup ----

  @Test
  void explicitPresetupTellsEverythingBetweenStartAndEnd() {
    Plan plan = Planner.plan(NOTHING, explicit(configs.running(1)), PRESETUP);

    assertThat(steps(plan))
        .containsExactly(
            "begin",
            "mtu",
            "features",
            "status 8",
            "read status",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "base 0",
            "address 0",
            "kick 0",
            "enable 1",
            "base 1",
            "address 1",
            "kick 1",
            "end");
    assertThat(plan.steps())
        .extracting(PlannedStep::step)
        .contains(
            new Step.Set<>(Fact.KICK, 0, Configs.NO_DESCRIPTOR),
            new Step.Set<>(Fact.CALL, 0, configs.call(0, false)));
    assertThat(after(NOTHING, plan).anyRingMayRun()).isFalse();
  }

  @Test
  void explicitPresetupTellsTheKickWhereRingsAreHeldUntilDriverOk() {
    for (BackEndCapabilities backEnd :
        List.of(Configs.vfeWithPresetup(), Configs.ringsHeldByDialect())) {
      DeviceConfig early =
          EarlyConfiguration.of(PresetupMode.EXPLICIT, configs.running(1), backEnd);

      Plan plan = Planner.plan(NOTHING, early, backEnd);

      assertThat(plan.steps())
          .extracting(PlannedStep::step)
          .contains(new Step.Set<>(Fact.KICK, 0, configs.kick(0)));
      assertThat(after(NOTHING, plan).anyRingMayRun()).isFalse();
    }
  }

  @Test
  void implicitPresetupOfAnyBackEndTellsNothingThatLooksIntoMemory() {
    Plan plan = Planner.plan(NOTHING, implicit(configs.running(1), GENERIC), GENERIC);

    assertThat(steps(plan))
        .containsExactly(
            "mtu",
            "features",
            "status 8",
            "read status",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "enable 1");
    assertThat(after(NOTHING, plan).anyRingMayRun()).isFalse();
  }

  @Test
  void implicitPresetupOfDpdkTellsAddressesAndKicksToo() {
    Plan plan = Planner.plan(NOTHING, implicit(configs.running(1), DPDK), DPDK);

    assertThat(steps(plan))
        .containsExactly(
            "mtu",
            "features",
            "status 8",
            "read status",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "address 0",
            "kick 0",
            "enable 1",
            "address 1",
            "kick 1");
    assertThat(after(NOTHING, plan).anyRingMayRun()).isFalse();
  }

  @Test
  void dpdkWithoutAStatusHoldsNoRingSoItIsToldNoMoreThanAnyOther() {
    BackEndCapabilities plain = Configs.backEnd(BackEndProfile.DPDK, ProtocolFeature.STATUS);

    assertThat(steps(Planner.plan(NOTHING, implicit(configs.running(1), plain), plain)))
        .containsExactly(
            "mtu",
            "features",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "enable 1");
  }

  /** Its public fork holds its rings until DRIVER_OK, as the DPDK does that it was made from. */
  @Test
  void vfeIsToldAddressAndKickEarlyAsDpdkIs() {
    BackEndCapabilities vfe = Configs.backEnd(BackEndProfile.NVIDIA_VFE);
    BackEndCapabilities dpdk = Configs.backEnd(BackEndProfile.DPDK);

    List<String> told = steps(Planner.plan(NOTHING, implicit(configs.running(2), vfe), vfe));

    assertThat(told)
        .contains("address 0", "kick 0", "address 3", "kick 3")
        .isEqualTo(steps(Planner.plan(NOTHING, implicit(configs.running(2), dpdk), dpdk)));
  }

  @Test
  void profilesThatWereNotVerifiedBehaveAsGeneric() {
    for (BackEndProfile profile : List.of(BackEndProfile.LIBVHOST_USER, BackEndProfile.RUST_VMM)) {
      BackEndCapabilities backEnd = Configs.backEnd(profile);

      assertThat(steps(Planner.plan(NOTHING, implicit(configs.running(2), backEnd), backEnd)))
          .isEqualTo(steps(Planner.plan(NOTHING, implicit(configs.running(2), GENERIC), GENERIC)));
    }
  }

  // ---- presetup again ----

  @Test
  void presetupAgainTellsOnlyWhatTheGuestChanged() {
    DeviceConfig first = withRing(configs.running(2), 2, r -> Configs.enabled(r, false));
    DeviceConfig second = withMtu(configs.running(2), 9000);
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(gen(first, 1)), PRESETUP));

    assertThat(Planner.plan(shadow, explicit(gen(first, 2)), PRESETUP).isEmpty()).isTrue();
    assertThat(steps(Planner.plan(shadow, explicit(gen(second, 2)), PRESETUP)))
        .containsExactly("begin", "mtu", "enable 2", "end");

    Shadow quiet = after(NOTHING, Planner.plan(NOTHING, implicit(gen(first, 1), GENERIC), GENERIC));
    assertThat(steps(Planner.plan(quiet, implicit(gen(second, 2), GENERIC), GENERIC)))
        .containsExactly("mtu", "enable 2");
  }

  @Test
  void aStaleEarlyStateIsDropped() {
    Shadow shadow =
        after(NOTHING, Planner.plan(NOTHING, explicit(gen(configs.running(2), 2)), PRESETUP));
    assertThat(shadow.generation()).isEqualTo(2);

    Plan stale =
        Planner.plan(shadow, explicit(gen(withMtu(configs.running(2), 9000), 1)), PRESETUP);

    assertThat(stale.isEmpty()).isTrue();
    assertThat(after(shadow, stale)).isEqualTo(shadow);
  }

  @Test
  void aDriverThatNegotiatedAnewIsPresetFromItsFeaturesOn() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(1), DPDK), DPDK));
    long fewer = FEATURES & ~NetFeature.MRG_RXBUF.mask();
    DeviceConfig renegotiated = Configs.withFeatures(configs.running(1), fewer);

    assertThat(steps(Planner.plan(shadow, implicit(renegotiated, DPDK), DPDK)))
        .containsExactly(
            "status 0",
            "features",
            "status 8",
            "read status",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "address 0",
            "kick 0",
            "enable 1",
            "address 1",
            "kick 1");
  }

  @Test
  void aRingThatWasPresetAndIsGoneIsTakenDownSoThatTheStartDoesNotRunIt() {
    DeviceConfig gone =
        withRing(
            withRing(configs.running(2), 2, _ -> RingConfig.NOT_SET_UP),
            3,
            _ -> RingConfig.NOT_SET_UP);
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(configs.running(2)), PRESETUP));

    assertThat(steps(Planner.plan(shadow, explicit(gen(gone, 1)), PRESETUP)))
        .containsExactly("begin", "disable 2", "disable 3", "end");
    assertThat(steps(Planner.plan(shadow, gone, PRESETUP)))
        .containsExactly(
            "disable 2", "disable 3", "base 0", "kick 0", "base 1", "kick 1", "status f");

    Shadow dpdk = after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(2), DPDK), DPDK));
    assertThat(steps(Planner.plan(dpdk, configs.running(1), DPDK)))
        .containsExactly("stop 2", "stop 3", "base 0", "base 1", "status f");
  }

  /** At DRIVER_OK the back end has started it with the others, and was not told where. */
  @Test
  void aRingThatWasPresetAndGoneAtTheStartIsToldWhereItBeginsWhenItIsBack() {
    BackEndCapabilities holding =
        new BackEndCapabilities(
            PRESETUP.features(), PRESETUP.protocol(), 2, 0, BackEndProfile.NVIDIA_VFE);
    Shadow preset =
        after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(2), holding), holding));
    DeviceConfig gone = withRing(configs.running(2), 3, _ -> RingConfig.NOT_SET_UP);
    Shadow running = after(preset, Planner.plan(preset, gone, holding));

    Plan plan = Planner.plan(running, configs.running(2), holding);

    Integer base = Objects.requireNonNull(configs.running(2).rings().get(3).base());
    assertThat(plan.steps())
        .extracting(PlannedStep::step)
        .contains(new Step.StopRing(3), new Step.Set<>(Fact.BASE, 3, base));
  }

  // ---- short words ----

  private static DeviceConfig explicit(DeviceConfig running) {
    return EarlyConfiguration.of(PresetupMode.EXPLICIT, running, PRESETUP);
  }

  private static DeviceConfig implicit(DeviceConfig running, BackEndCapabilities backEnd) {
    return EarlyConfiguration.of(PresetupMode.IMPLICIT, running, backEnd);
  }

  private static DeviceConfig gen(DeviceConfig config, int generation) {
    return withGeneration(config, generation);
  }

  private static Shadow started(DeviceConfig config, BackEndCapabilities backEnd) {
    return after(NOTHING, Planner.plan(NOTHING, config, backEnd));
  }
}
