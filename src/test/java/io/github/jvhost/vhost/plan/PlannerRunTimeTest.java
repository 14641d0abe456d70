package io.github.jvhost.vhost.plan;

import static io.github.jvhost.vhost.plan.Configs.FEATURES;
import static io.github.jvhost.vhost.plan.Configs.after;
import static io.github.jvhost.vhost.plan.Configs.steps;
import static io.github.jvhost.vhost.plan.Configs.withLog;
import static io.github.jvhost.vhost.plan.Configs.withMemory;
import static io.github.jvhost.vhost.plan.Configs.withMtu;
import static io.github.jvhost.vhost.plan.Configs.withRing;
import static io.github.jvhost.vhost.plan.Configs.withRings;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the plan is for a device that runs, stops, resumes or failed, step by step. */
class PlannerRunTimeTest {
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

  // ---- while it runs ----

  @Test
  void queuePairsAreSwitchedByEnableAlone() {
    DeviceConfig one =
        withRing(
            withRing(configs.running(2), 2, r -> Configs.enabled(r, false)),
            3,
            r -> Configs.enabled(r, false));
    Shadow shadow = started(one, GENERIC);

    assertThat(steps(Planner.plan(shadow, configs.running(2), GENERIC)))
        .containsExactly("enable 2", "enable 3");
    assertThat(steps(Planner.plan(started(configs.running(2), GENERIC), one, GENERIC)))
        .containsExactly("disable 2", "disable 3");
  }

  @Test
  void addedMemoryIsToldAndTheRingsRunOn() {
    Shadow shadow = started(configs.running(2), GENERIC);
    DeviceConfig larger = withMemory(configs.running(2), configs.both);

    Plan plan = Planner.plan(shadow, larger, GENERIC);

    assertThat(steps(plan)).containsExactly("memory");
    assertThat(after(shadow, plan).ring(3).run()).isEqualTo(RingShadow.Run.STARTED);
    assertThat(Planner.plan(after(shadow, plan), larger, GENERIC).isEmpty()).isTrue();
  }

  @Test
  void memoryThatMovesUnderARingStopsItFirst() {
    Shadow shadow = started(configs.running(1), GENERIC);

    Plan plan = Planner.plan(shadow, withMemory(configs.running(1), configs.moved), GENERIC);

    assertThat(steps(plan))
        .containsExactly(
            "stop 0",
            "stop 1",
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
    assertThat(plan.steps().get(8).step())
        .as("the base is where the ring stopped, which nobody knows yet")
        .isEqualTo(new Step.ResumeRing(0));
  }

  @Test
  void theMtuIsTold() {
    assertThat(
            steps(
                Planner.plan(
                    started(configs.running(1), GENERIC),
                    withMtu(configs.running(1), 9000),
                    GENERIC)))
        .containsExactly("mtu");
  }

  @Test
  void aChangedCallIsToldAndNothingElse() {
    Shadow shadow = started(configs.running(1), GENERIC);
    DeviceConfig masked =
        withRing(configs.running(1), 1, r -> Configs.calling(r, configs.call(1, true)));

    Plan plan = Planner.plan(shadow, masked, GENERIC);
    assertThat(steps(plan)).containsExactly("call 1");
    assertThat(plan.steps().getFirst().answer())
        .as("whoever owns the former one has to know when it is free")
        .isEqualTo(PlannedStep.Answer.COLLECTED);
  }

  @Test
  void theBaseOfARunningRingIsNeverTold() {
    Shadow shadow = started(configs.running(1), GENERIC);
    DeviceConfig stale = withRings(configs.running(1), r -> Configs.from(r, 5, 5));

    assertThat(Planner.plan(shadow, stale, GENERIC).isEmpty()).isTrue();
  }

  @Test
  void loggingIsSwitchedOnAndOffWithoutAStop() {
    Shadow shadow = started(configs.running(1), GENERIC);
    DeviceConfig logged = withLog(configs.running(1), configs.log);
    Plan on = Planner.plan(shadow, logged, GENERIC);

    assertThat(steps(on)).containsExactly("log", "features", "address 0", "address 1");
    assertThat(on.steps()).extracting(PlannedStep::why).containsOnly(Why.LOGGING);
    assertThat(on.steps()).extracting(PlannedStep::answer).containsOnly(Answer.COLLECTED);

    Plan off = Planner.plan(after(shadow, on), configs.running(1), GENERIC);
    assertThat(steps(off)).containsExactly("features", "address 0", "address 1");
    assertThat(after(after(shadow, on), off).anyRingMayRun()).isTrue();
  }

  @Test
  void aLogGrowsBeforeTheMemoryAndShrinksAfterIt() {
    DeviceConfig small = withLog(configs.running(1), configs.log);
    DeviceConfig large = withLog(withMemory(configs.running(1), configs.both), configs.largerLog);
    Shadow shadow = started(small, GENERIC);

    Plan grow = Planner.plan(shadow, large, GENERIC);
    assertThat(steps(grow)).containsExactly("log", "memory");

    assertThat(steps(Planner.plan(after(shadow, grow), small, GENERIC)))
        .containsExactly("memory", "log");
  }

  @Test
  void aSizeStopsTheRingFirstAndTheDriverSaysWhereTheNewOneBegins() {
    Shadow shadow = started(configs.running(1), Configs.backEnd(BackEndProfile.RUST_VMM));
    DeviceConfig larger =
        withRing(configs.running(1), 1, r -> Configs.from(Configs.sized(r, 512), 0, 0));

    Plan plan = Planner.plan(shadow, larger, GENERIC);

    assertThat(steps(plan))
        .containsExactly(
            "stop 1",
            "stop 0",
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
    assertThat(plan.steps().get(1).why()).isEqualTo(Why.STOPS_TOGETHER);
    assertThat(plan.steps())
        .extracting(PlannedStep::step)
        .contains(new Step.ResumeRing(0), new Step.Set<>(Fact.BASE, 1, 0));
  }

  @Test
  void otherFeaturesStopEverythingAndStartAgain() {
    Shadow shadow = started(configs.running(1), GENERIC);
    long fewer = FEATURES & ~NetFeature.MRG_RXBUF.mask();

    assertThat(
            steps(Planner.plan(shadow, Configs.withFeatures(configs.running(1), fewer), GENERIC)))
        .containsExactly(
            "stop 0",
            "stop 1",
            "status 0",
            "features",
            "status 8",
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
  }

  // ---- reconnect, stop, resume, reset, cancel ----

  @Test
  void aBackEndThatCameBackIsToldEverything() {
    // A new connection is a new shadow, whatever was told on the one before.
    assertThat(steps(Planner.plan(NOTHING, configs.running(2), GENERIC)))
        .hasSize(4 + 4 * 6 + 1)
        .startsWith("mtu", "features", "status 8", "memory")
        .endsWith("kick 3", "status f");
  }

  @Test
  void aStopReadsEveryBaseAndResetsOnlyThen() {
    for (BackEndCapabilities backEnd : List.of(GENERIC, DPDK, PRESETUP)) {
      Shadow shadow = started(configs.running(2), backEnd);

      Plan plan = Planner.plan(shadow, Configs.stopped(configs.running(2)), backEnd);

      assertThat(steps(plan)).containsExactly("stop 0", "stop 1", "stop 2", "stop 3", "status 0");
      assertThat(plan.readsStatusAtEnd()).isFalse();
      assertThat(after(shadow, plan).anyRingMayRun()).isFalse();
    }
  }

  @Test
  void aStoppedDeviceIsNotStoppedAgain() {
    Shadow shadow = stopped(configs.running(2), GENERIC);

    assertThat(Planner.plan(shadow, Configs.stopped(configs.running(2)), GENERIC).isEmpty())
        .isTrue();
  }

  @Test
  void aSourceThatResumesTellsWhatTheResetForgotAndNotTheMemory() {
    Shadow shadow = stopped(configs.running(1), GENERIC);

    assertThat(steps(Planner.plan(shadow, configs.running(1), GENERIC)))
        .containsExactly(
            "features",
            "status 8",
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
  }

  /** The steps that lead back from a stop, where no status of 0 makes a back end forget more. */
  private List<String> resumedWithoutStatus(BackEndProfile profile) {
    BackEndCapabilities plain = Configs.backEnd(profile, ProtocolFeature.STATUS);
    Shadow shadow = stopped(configs.running(1), plain);
    return steps(Planner.plan(shadow, configs.running(1), plain));
  }

  @Test
  void withoutAStatusASourceResumesWithWhatItsRingsMayHaveForgotten() {
    assertThat(resumedWithoutStatus(BackEndProfile.GENERIC))
        .containsExactly(
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
  }

  @Test
  void dpdkIsToldTheSizeAgainAndLibvhostUserIsNot() {
    assertThat(resumedWithoutStatus(BackEndProfile.DPDK))
        .containsExactly(
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "base 0",
            "address 0",
            "kick 0",
            "base 1",
            "address 1",
            "kick 1");
    assertThat(resumedWithoutStatus(BackEndProfile.LIBVHOST_USER))
        .containsExactly(
            "call 0", "call 1", "base 0", "address 0", "kick 0", "base 1", "address 1", "kick 1");
  }

  @Test
  void aGuestThatResetsStopsTheDevice() {
    Shadow shadow = started(configs.running(1), GENERIC);
    DeviceConfig reset = Configs.stopped(configs.running(1));

    assertThat(steps(Planner.plan(shadow, reset, GENERIC)))
        .containsExactly("stop 0", "stop 1", "status 0");
    assertThat(Planner.plan(NOTHING, reset, GENERIC).isEmpty()).isTrue();
  }

  @Test
  void aRingThatIsGoneIsStopped() {
    Shadow shadow = started(configs.running(2), Configs.backEnd(BackEndProfile.GENERIC));

    Plan plan =
        Planner.plan(shadow, withRing(configs.running(2), 3, _ -> RingConfig.NOT_SET_UP), GENERIC);

    assertThat(steps(plan)).startsWith("stop 3").doesNotContain("kick 3", "base 3");
    assertThat(plan.steps().getFirst().why()).isEqualTo(Why.RING_GONE);
    assertThat(after(shadow, plan).ring(3).run()).isEqualTo(RingShadow.Run.STOPPED);
    assertThat(after(shadow, plan).ring(2).run()).isEqualTo(RingShadow.Run.STARTED);
  }

  @Test
  void aCancelledPresetupHasNoMessageOfItsOwn() {
    // The connection is closed. Where it is kept, the stop of a device that never ran is a reset.
    Shadow shadow =
        after(NOTHING, Planner.plan(NOTHING, implicit(configs.running(2), GENERIC), GENERIC));

    assertThat(steps(Planner.plan(shadow, Configs.stopped(configs.running(2)), GENERIC)))
        .containsExactly("status 0");
  }

  // ---- failures ----

  @Test
  void whatFailedAndAllBehindItIsNotKnown() {
    Plan plan = Planner.plan(NOTHING, configs.running(1), GENERIC);
    int memory = steps(plan).indexOf("memory");
    Outcome failed =
        new Outcome(memory, List.of(), 0, 1, 0, 0, new BackEndRefusedException("no memory"));

    Shadow shadow = NOTHING.after(plan, failed);

    assertThat(shadow.get(Fact.FEATURES).is(FEATURES)).isTrue();
    assertThat(shadow.get(Fact.MEMORY)).isInstanceOf(Known.Unknown.class);
    assertThat(shadow.ring(0).run()).isEqualTo(RingShadow.Run.UNKNOWN);
    assertThat(steps(Planner.plan(shadow, Configs.stopped(configs.running(1)), GENERIC)))
        .containsExactly("stop 0", "stop 1", "status 0");
    assertThat(steps(Planner.plan(shadow, configs.running(1), GENERIC)))
        .startsWith("stop 0", "stop 1")
        .contains("memory", "size 0", "size 1", "kick 0", "kick 1", "status f");
  }

  @Test
  void aPlanExplainsItself() {
    Shadow shadow = after(NOTHING, Planner.plan(NOTHING, explicit(configs.running(1)), PRESETUP));

    assertThat(Planner.plan(shadow, configs.running(1), PRESETUP).describe())
        .contains("ring 0 base unknown -> 100 (a ring's base is only known once it stopped)")
        .contains("ring 1 kick no descriptor -> eventfd kick 1 (changed)")
        .contains("status 0x8 -> 0xf (device starts)");
  }

  // ---- short words ----

  private static DeviceConfig explicit(DeviceConfig running) {
    return EarlyConfiguration.of(PresetupMode.EXPLICIT, running, PRESETUP);
  }

  private static DeviceConfig implicit(DeviceConfig running, BackEndCapabilities backEnd) {
    return EarlyConfiguration.of(PresetupMode.IMPLICIT, running, backEnd);
  }

  private static Shadow started(DeviceConfig config, BackEndCapabilities backEnd) {
    return after(NOTHING, Planner.plan(NOTHING, config, backEnd));
  }

  private static Shadow stopped(DeviceConfig config, BackEndCapabilities backEnd) {
    Shadow running = started(config, backEnd);
    return after(running, Planner.plan(running, Configs.stopped(config), backEnd));
  }
}
