package io.github.jvhost.testkit.scenario;

import static io.github.jvhost.testkit.scenario.Runs.DEVICES;
import static io.github.jvhost.testkit.scenario.Runs.fields;
import static io.github.jvhost.testkit.scenario.Runs.migrate;
import static io.github.jvhost.testkit.scenario.Runs.options;
import static io.github.jvhost.testkit.scenario.Runs.run;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.Personality;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What goes wrong ends with one running guest, which can be reached. */
@Timeout(120)
class FailureTest {
  private static RunResult fail(Variant variant, Failure failure) {
    return migrate(options(variant).with(Change.NONE, failure));
  }

  /** The first device was told nothing early, the second one all of it. */
  private static void assertFirstDeviceWentWithout(RunResult result) {
    assertThat(fields(result, 0)).contains("features", "memory table", "ring 0 address");
    assertThat(fields(result, 1)).doesNotContain("features", "memory table", "ring 0 size");
    assertThat(result.waits()).isEqualTo(DEVICES);
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void presetupRefused(Variant variant) {
    RunResult result = fail(variant, Failure.PRESETUP_REFUSED);

    assertThat(result.fallback()).contains("net0").doesNotContain("net1");
    assertFirstDeviceWentWithout(result);
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void presetupDisconnect(Variant variant) {
    RunResult result = fail(variant, Failure.PRESETUP_DISCONNECT);

    assertThat(result.fallback()).contains("net0").doesNotContain("net1");
    assertFirstDeviceWentWithout(result);
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void presetupLate(Variant variant) {
    RunResult result = fail(variant, Failure.PRESETUP_LATE);

    assertThat(result.fallback()).contains("late");
  }

  @ParameterizedTest
  @EnumSource(names = {"EXPLICIT", "IMPLICIT"})
  void backEndLostInTheWindow(Variant variant) {
    RunResult result = fail(variant, Failure.BACK_END_LOST_IN_WINDOW);

    assertThat(result.fallback()).contains("net0 was started again from nothing");
    assertThat(result.waits()).isLessThanOrEqualTo(DEVICES + 1);
  }

  @ParameterizedTest
  @EnumSource(names = {"OFF", "OFF_PIPELINED"})
  void backEndLostInTheWindowOfABaseline(Variant variant) {
    RunResult result = fail(variant, Failure.BACK_END_LOST_IN_WINDOW);

    assertThat(result.fallback()).contains("net0 was started again from nothing");
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"CANCEL_IN_SETUP", "CANCEL_IN_ITERATE", "CANCEL_AFTER_STOP"})
  void aCancelledMigrationLeavesTheGuestWhereItWas(Failure failure) {
    for (Variant variant : new Variant[] {Variant.OFF, Variant.EXPLICIT, Variant.IMPLICIT}) {
      RunResult result = run(options(variant).with(Change.NONE, failure));

      assertThat(result.ranOn()).isEqualTo("source");
      assertThat(result.fallback()).contains("cancelled").contains("runs on, on the source");
      assertThat(result.plan()).isEmpty();
      assertThat(result.messages()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"CROSVM", "VPP", "DPDK"})
  void everyFailureEndsWellAtBackEndsThatForgetRings(Personality personality) {
    for (Failure failure : Failure.values()) {
      run(options(Variant.IMPLICIT, 2).with(null, personality, null).with(Change.NONE, failure));
    }
  }

  @Test
  void aSourceWhoseBackEndGoesAwayAsLoggingBeginsRunsOnWithAllItsDevices() {
    RunResult result =
        run(options(Variant.EXPLICIT).with(Change.NONE, Failure.SOURCE_BACK_END_LOST));

    assertThat(result.ranOn()).isEqualTo("source");
    assertThat(result.fallback()).contains("runs on, on the source").doesNotContain("not all");
    assertThat(result.recovered()).isTrue();
  }
}
