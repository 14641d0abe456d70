package io.github.jvhost.vhost.plan;

import static io.github.jvhost.vhost.plan.Configs.after;
import static io.github.jvhost.vhost.plan.Configs.steps;
import static io.github.jvhost.vhost.plan.Configs.withMemory;
import static io.github.jvhost.vhost.plan.Configs.withMtu;
import static io.github.jvhost.vhost.plan.Configs.withRing;
import static io.github.jvhost.vhost.plan.Configs.withRings;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is left to tell in the stop window, step by step. */
class PlannerWindowTest {
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

  // ---- the stop window ----

  @Test
  void afterExplicitPresetupOfAnyBackEndOnlyBaseKickAndOneStatusAreLeft() {
    DeviceConfig early = withRings(configs.running(2), r -> Configs.from(r, 7, null));
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(early), PRESETUP));

    Plan plan = Planner.plan(shadow, configs.running(2), PRESETUP);

    assertThat(steps(plan))
        .containsExactly(
            "base 0",
            "kick 0",
            "base 1",
            "kick 1",
            "base 2",
            "kick 2",
            "base 3",
            "kick 3",
            "status f");
    assertThat(plan.steps())
        .filteredOn(s -> s.step() instanceof Step.Set<?> set && set.fact() == Fact.BASE)
        .extracting(PlannedStep::why)
        .containsOnly(Why.EARLY_BASE);
    assertThat(plan.steps().get(0).step()).isEqualTo(new Step.Set<>(Fact.BASE, 0, 100));
  }

  @Test
  void whereRingsAreHeldUntilDriverOkOnlyTheBasesAndOneStatusAreLeft() {
    for (BackEndCapabilities backEnd :
        List.of(Configs.vfeWithPresetup(), Configs.ringsHeldByDialect())) {
      DeviceConfig early =
          EarlyConfiguration.of(PresetupMode.EXPLICIT, configs.running(2), backEnd);
      Shadow shadow = after(NOTHING, Planner.plan(NOTHING, early, backEnd));

      assertThat(steps(Planner.plan(shadow, configs.running(2), backEnd)))
          .as(backEnd.toString())
          .containsExactly("base 0", "base 1", "base 2", "base 3", "status f");
    }
  }

  @Test
  void evenAnEarlyBaseThatHappensToBeRightIsToldAgain() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(configs.running(1)), PRESETUP));

    assertThat(steps(Planner.plan(shadow, configs.running(1), PRESETUP)))
        .contains("base 0", "base 1");
  }

  @Test
  void afterGenericPresetupBaseAddressAndKickAreLeft() {
    Shadow shadow =
        after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(2), GENERIC), GENERIC));

    assertThat(steps(Planner.plan(shadow, configs.running(2), GENERIC)))
        .containsExactly(
            "base 0",
            "address 0",
            "kick 0",
            "base 1",
            "address 1",
            "kick 1",
            "base 2",
            "address 2",
            "kick 2",
            "base 3",
            "address 3",
            "kick 3",
            "status f");
  }

  @Test
  void afterDpdkPresetupOnlyBasesAreLeft() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(2), DPDK), DPDK));

    assertThat(steps(Planner.plan(shadow, configs.running(2), DPDK)))
        .containsExactly("base 0", "base 1", "base 2", "base 3", "status f");
  }

  @Test
  void whereBaseAndUsedIndexDifferDpdkIsToldTheAddressAfterTheBase() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(1), DPDK), DPDK));
    DeviceConfig inFlight = withRing(configs.running(1), 1, r -> Configs.from(r, 101, 99));

    Plan plan = Planner.plan(shadow, inFlight, DPDK);

    assertThat(steps(plan)).containsExactly("base 0", "base 1", "address 1", "status f");
    assertThat(plan.steps().get(2).why()).isEqualTo(Why.USED_INDEX_DIFFERS);
  }

  // ---- a mediator's prediction, which has no kicks, is wrong in one thing ----

  private Shadow predicted(UnaryOperator<DeviceConfig> wrong, BackEndCapabilities backEnd) {
    DeviceConfig prediction = withRings(wrong.apply(configs.running(1)), Configs::withoutKick);
    return after(NOTHING, Planner.plan(NOTHING, implicit(prediction, backEnd), backEnd));
  }

  @Test
  void anotherSizeOfRingsIsToldAloneWhereTheyAreTranslatedAtTheKick() {
    Shadow shadow = predicted(c -> withRings(c, r -> Configs.sized(r, 128)), DPDK);

    assertThat(steps(Planner.plan(shadow, configs.running(1), DPDK)))
        .containsExactly("size 0", "size 1", "base 0", "kick 0", "base 1", "kick 1", "status f");
  }

  @Test
  void anotherFeatureIsToldAloneWhereRingsAreTranslatedAtTheKick() {
    long fewer = Configs.FEATURES & ~NetFeature.MRG_RXBUF.mask();
    Shadow shadow = predicted(c -> Configs.withFeatures(c, fewer), DPDK);

    assertThat(steps(Planner.plan(shadow, configs.running(1), DPDK)))
        .containsExactly("features", "base 0", "kick 0", "base 1", "kick 1", "status f");
  }

  @Test
  void featuresOfTheRingsLayoutMakeAllRingsUnknown() {
    long packed = Configs.FEATURES ^ NetFeature.RING_PACKED.mask();
    Shadow shadow = predicted(c -> Configs.withFeatures(c, packed), DPDK);

    assertThat(steps(Planner.plan(shadow, configs.running(1), DPDK)))
        .startsWith("status 0", "features")
        .contains("size 0", "address 0");
  }

  @Test
  void aRingThatGotItsKickEarlyIsToldItsAddressAgainWithAnotherSize() {
    DeviceConfig smaller = withRings(configs.running(1), r -> Configs.sized(r, 128));
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, implicit(smaller, DPDK), DPDK));

    assertThat(steps(Planner.plan(shadow, configs.running(1), DPDK)))
        .contains("size 0", "address 0", "size 1", "address 1");
  }

  @Test
  void aBackEndThatIsNotKnownIsToldTheWholeDeviceAnewWithAnotherFeature() {
    long fewer = Configs.FEATURES & ~NetFeature.MRG_RXBUF.mask();
    Shadow shadow = predicted(c -> Configs.withFeatures(c, fewer), GENERIC);

    assertThat(steps(Planner.plan(shadow, configs.running(1), GENERIC)))
        .startsWith("status 0", "features")
        .contains("size 0", "address 0");
  }

  @Test
  void withoutPresetupTheWindowIsAFirstStart() {
    assertThat(steps(Planner.plan(NOTHING, configs.running(1), DPDK)))
        .isEqualTo(steps(Planner.plan(NOTHING, configs.running(1), GENERIC)))
        .hasSize(17);
  }

  @Test
  void whatTheGuestChangedSincePresetupIsToldInTheWindow() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(configs.running(2)), PRESETUP));
    DeviceConfig fewerPairs =
        withRing(
            withRing(configs.running(2), 2, r -> Configs.enabled(r, false)),
            3,
            r -> Configs.enabled(r, false));

    assertThat(steps(Planner.plan(shadow, withMtu(configs.running(1), 9000), PRESETUP)))
        .startsWith("mtu");
    assertThat(steps(Planner.plan(shadow, fewerPairs, PRESETUP)))
        .containsExactly(
            "base 0",
            "kick 0",
            "base 1",
            "kick 1",
            "disable 2",
            "base 2",
            "kick 2",
            "disable 3",
            "base 3",
            "kick 3",
            "status f");
    Plan memory = Planner.plan(shadow, withMemory(configs.running(1), configs.both), PRESETUP);
    assertThat(steps(memory))
        .startsWith("memory")
        .containsSubsequence("base 0", "address 0", "kick 0", "base 1", "address 1", "kick 1")
        .endsWith("status f");
    assertThat(memory.steps())
        .filteredOn(s -> s.step() instanceof Step.SetRingAddress)
        .extracting(PlannedStep::why)
        .containsOnly(Why.MEMORY_CHANGED);
  }

  @Test
  void aSizeThatChangedSincePresetupInvalidatesBaseAndAddress() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(1), DPDK), DPDK));
    DeviceConfig larger = withRing(configs.running(1), 0, r -> Configs.sized(r, 512));

    assertThat(steps(Planner.plan(shadow, larger, DPDK)))
        .containsExactly("size 0", "base 0", "address 0", "base 1", "status f");
  }

  // ---- short words ----

  private static DeviceConfig explicit(DeviceConfig running) {
    return EarlyConfiguration.of(PresetupMode.EXPLICIT, running, PRESETUP);
  }

  private static DeviceConfig implicit(DeviceConfig running, BackEndCapabilities backEnd) {
    return EarlyConfiguration.of(PresetupMode.IMPLICIT, running, backEnd);
  }
}
