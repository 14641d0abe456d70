package io.github.jvhost.vhost.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.ProtocolFeature;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The in-flight region, a guest's reset, rings in another byte order, and err eventfds. */
class PlannerInflightTest {
  private final Configs configs = new Configs();
  private final DeviceConfig running = configs.running(1);
  private final BackEndCapabilities capable = with(ProtocolFeature.INFLIGHT_SHMFD);

  @AfterEach
  void close() {
    configs.close();
    assertThat(configs.ledger.describeOpen()).isEmpty();
  }

  private static BackEndCapabilities with(ProtocolFeature feature) {
    BackEndCapabilities plain = Configs.backEnd(BackEndProfile.GENERIC);
    return new BackEndCapabilities(
        plain.features(),
        plain.protocolFeatures() | feature.mask(),
        4,
        plain.dialect(),
        plain.profile());
  }

  /** A region in some file: which one does not matter to a plan. */
  private InflightRegion region(int queueSize) {
    return new InflightRegion(
        configs.low.regions().getFirst().file(), new Inflight(8192, 0, 2, queueSize));
  }

  private static DeviceConfig with(
      DeviceConfig c, @Nullable InflightRegion inflight, @Nullable ByteOrder order) {
    return new DeviceConfig(
        c.lifecycle(),
        c.features(),
        c.mtu(),
        c.memory(),
        c.log(),
        c.rings(),
        inflight,
        c.translations(),
        order,
        c.control(),
        c.generation());
  }

  private static Shadow after(Shadow before, Plan plan, @Nullable InflightRegion came) {
    int steps = plan.steps().size();
    return before.after(
        plan, new Outcome(steps, Collections.nCopies(steps, null), came, steps, 1, 0, 0, null));
  }

  @Test
  void theFirstBackEndIsAskedForOneWhenItKnowsTheRingsAndBeforeAnyRuns() {
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, capable);
    List<String> steps = Configs.steps(plan);
    assertThat(steps).containsSubsequence("features", "memory", "get inflight", "set inflight");
    assertThat(steps)
        .containsSubsequence(
            "size 0", "call 0", "size 1", "call 1", "get inflight", "set inflight", "enable 0")
        .containsSubsequence("set inflight", "enable 1", "kick 1");
    assertThat(plan.steps().get(steps.indexOf("get inflight")).step())
        .isEqualTo(new Step.GetInflight(2, 256));

    Shadow held = after(Shadow.nothingHeld(), plan, region(256));
    assertThat(Planner.plan(held, running, capable).describe()).isEmpty();
  }

  @Test
  void itsSuccessorIsGivenTheSame() {
    DeviceConfig kept = with(running, region(256), null);
    List<String> steps = Configs.steps(Planner.plan(Shadow.nothingHeld(), kept, capable));
    assertThat(steps).contains("set inflight").doesNotContain("get inflight");
  }

  @Test
  void oneThatHasNoneIsNotAskedAgain() {
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, capable);
    Shadow held = after(Shadow.nothingHeld(), plan, null);
    assertThat(Planner.plan(held, running, capable).describe()).isEmpty();
  }

  @Test
  void oneThatNobodyAskedBecauseThePlanFailedIsAsked() {
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, capable);
    int asked = Configs.steps(plan).indexOf("get inflight");
    for (int taken = 0; taken <= asked; taken++) {
      Shadow held = Shadow.nothingHeld().after(plan, failedAfter(taken, null));
      assertThat(Configs.steps(Planner.plan(held, running, capable)))
          .as("%d steps were taken", taken)
          .contains("get inflight", "set inflight");
    }
  }

  @Test
  void theRegionIsToldAgainWhereNobodyKnowsWhetherItWasTaken() {
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, capable);
    int asked = Configs.steps(plan).indexOf("get inflight");
    Shadow held = Shadow.nothingHeld().after(plan, failedAfter(asked + 1, region(256)));
    DeviceConfig kept = with(running, region(256), null);
    assertThat(Configs.steps(Planner.plan(held, kept, capable)))
        .contains("set inflight")
        .doesNotContain("get inflight");
  }

  private static Outcome failedAfter(int taken, @Nullable InflightRegion came) {
    return new Outcome(
        taken, List.of(), came, taken, 1, 0, 0, new BackEndRefusedException("refused"));
  }

  @Test
  void ringsThatOutgrowItStopForAnother() {
    Plan plan = Planner.plan(Shadow.nothingHeld(), running, capable);
    Shadow held = after(Shadow.nothingHeld(), plan, region(256));
    DeviceConfig larger = Configs.withRing(running, 0, r -> Configs.sized(r, 512));
    assertThat(Configs.steps(Planner.plan(held, larger, capable)))
        .startsWith("stop 0", "stop 1")
        .containsSubsequence("size 0", "call 1", "get inflight", "set inflight", "kick 0");
  }

  @Test
  void aBackEndThatCannotIsNotAsked() {
    Plan plan =
        Planner.plan(Shadow.nothingHeld(), running, Configs.backEnd(BackEndProfile.GENERIC));
    assertThat(Configs.steps(plan)).doesNotContain("get inflight", "set inflight");
  }

  @Test
  void aGuestsResetIsToldWhereTheBackEndKnowsOfIt() {
    BackEndCapabilities knows = with(ProtocolFeature.RESET_DEVICE);
    Shadow held =
        Configs.after(Shadow.nothingHeld(), Planner.plan(Shadow.nothingHeld(), running, knows));
    DeviceConfig reset = running.with(DeviceConfig.Lifecycle.RESET, List.of());
    assertThat(Configs.steps(Planner.plan(held, reset, knows)))
        .containsExactly("stop 0", "stop 1", "reset device");
    assertThat(Configs.steps(Planner.plan(held, reset, Configs.backEnd(BackEndProfile.GENERIC))))
        .containsExactly("stop 0", "stop 1", "status 0");
    assertThat(Configs.steps(Planner.plan(held, Configs.stopped(running), knows)))
        .as("a device that only stops is not reset")
        .containsExactly("stop 0", "stop 1", "status 0");
  }

  @Test
  void legacyRingsInAnotherByteOrderAreToldSo() {
    DeviceConfig big = with(running, null, ByteOrder.BIG_ENDIAN);
    List<String> steps =
        Configs.steps(Planner.plan(Shadow.nothingHeld(), big, with(ProtocolFeature.CROSS_ENDIAN)));
    assertThat(steps).containsSubsequence("size 0", "order 0", "address 0", "kick 0");
    assertThat(steps).containsSubsequence("order 1", "kick 1");
  }
}
