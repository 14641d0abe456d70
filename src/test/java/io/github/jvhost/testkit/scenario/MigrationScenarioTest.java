package io.github.jvhost.testkit.scenario;

import static io.github.jvhost.testkit.scenario.Runs.DEVICES;
import static io.github.jvhost.testkit.scenario.Runs.dpdkLike;
import static io.github.jvhost.testkit.scenario.Runs.fields;
import static io.github.jvhost.testkit.scenario.Runs.migrate;
import static io.github.jvhost.testkit.scenario.Runs.options;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every way to migrate at every kind of back end, with what it tells in the stop window. */
@Timeout(120)
class MigrationScenarioTest {
  private static final int BARRIER = 1;

  /** What is told in the window of each ring in turn, and of the device behind them. */
  private static List<String> perRing(int queuePairs, String... what) {
    List<String> fields = new ArrayList<>();
    for (int ring = 0; ring < 2 * queuePairs; ring++) {
      for (String field : what) {
        fields.add("ring " + ring + " " + field);
      }
    }
    fields.add("status");
    return fields;
  }

  /** The whole plan of an unchanged guest, and one wait for each device on either side. */
  private static void assertOnlyTheDifference(RunResult result, List<String> plan) {
    assertThat(result.fallback()).isNull();
    for (int device = 0; device < DEVICES; device++) {
      assertThat(fields(result, device)).containsExactlyInAnyOrderElementsOf(plan);
    }
    assertThat(result.messages()).isEqualTo(DEVICES * (plan.size() + BARRIER));
    assertThat(result.waits()).isEqualTo(DEVICES);
    assertSourceWaitsOnce(result);
  }

  /** GET_VRING_BASE of each ring and the reset behind them, all of them before the first answer. */
  private static void assertSourceWaitsOnce(RunResult result) {
    assertThat(result.sourceWaits()).isEqualTo(DEVICES);
    assertThat(result.sourceMessages())
        .isEqualTo(DEVICES * (2 * result.options().queuePairs() + 1));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void explicitTellsBaseAndKickOfEachRingAndTheStatus(int queuePairs) {
    RunResult result = migrate(options(Variant.EXPLICIT, queuePairs));

    assertOnlyTheDifference(result, perRing(queuePairs, "base", "kick"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void implicitTellsBaseAddressAndKickOfEachRingAndTheStatus(int queuePairs) {
    RunResult result = migrate(options(Variant.IMPLICIT, queuePairs));

    assertOnlyTheDifference(result, perRing(queuePairs, "base", "address", "kick"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void implicitAtDpdkTellsBaseOfEachRingAndTheStatus(int queuePairs) {
    RunResult result = migrate(dpdkLike(queuePairs));

    assertOnlyTheDifference(result, perRing(queuePairs, "base"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void offTellsEverythingAndWaitsAsQemuDoes(int queuePairs) {
    RunResult result = migrate(options(Variant.OFF, queuePairs));

    assertThat(result.fallback()).isNull();
    for (int device = 0; device < DEVICES; device++) {
      assertThat(fields(result, device))
          .containsAll(perRing(queuePairs, "size", "base", "address", "kick", "call", "enabled"))
          .contains("mtu", "features", "memory table");
    }
    // MTU, memory table, the status three times, and of each ring enable, kick and call at least.
    assertThat(result.waits()).isGreaterThanOrEqualTo(DEVICES * (5 + 2 * queuePairs * 3));
    // All bases of a device one after the other.
    assertThat(result.sourceWaits()).isEqualTo(DEVICES * 2 * queuePairs);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void offPipelinedTellsEverythingAndWaitsOnce(int queuePairs) {
    RunResult result = migrate(options(Variant.OFF_PIPELINED, queuePairs));

    assertThat(result.fallback()).isNull();
    for (int device = 0; device < DEVICES; device++) {
      assertThat(fields(result, device))
          .containsAll(perRing(queuePairs, "size", "base", "address", "kick", "call", "enabled"))
          .contains("mtu", "features", "memory table");
    }
    assertThat(result.waits()).isEqualTo(DEVICES);
    assertSourceWaitsOnce(result);
  }

  @ParameterizedTest
  @EnumSource
  void everyPersonalityIsMigratedImplicitly(Personality personality) {
    RunResult result = migrate(options(Variant.IMPLICIT).with(null, personality, null));

    assertThat(result.fallback()).isNull();
    assertThat(result.waits()).isEqualTo(DEVICES);
  }

  @ParameterizedTest
  @EnumSource(names = {"GENERIC", "NVIDIA_VFE"})
  void vfeIsMigratedExplicitly(BackEndProfile profile) {
    RunResult result = migrate(options(Variant.EXPLICIT).with(null, Personality.VFE, profile));

    String[] fields =
        profile == BackEndProfile.GENERIC ? new String[] {"base", "kick"} : new String[] {"base"};
    assertOnlyTheDifference(result, perRing(1, fields));
  }

  @ParameterizedTest
  @CsvSource({
    "DPDK, DPDK",
    "VFE, NVIDIA_VFE",
    "RUST_VMM, RUST_VMM",
    "LIBVHOST_USER, LIBVHOST_USER"
  })
  void aProfileOfTheBackEndAtHandServesItToo(Personality personality, BackEndProfile profile) {
    RunResult result = migrate(options(Variant.IMPLICIT, 4).with(null, personality, profile));

    assertThat(result.fallback()).isNull();
    assertThat(result.waits()).isEqualTo(DEVICES);
  }

  @ParameterizedTest
  @EnumSource(
      value = Personality.class,
      names = {"DPDK", "LIBVHOST_USER", "RUST_VMM", "CROSVM", "VPP"})
  void aBackEndWithoutPresetupIsMigratedAndTheReportSaysSo(Personality personality) {
    RunResult result = migrate(options(Variant.EXPLICIT).with(null, personality, null));

    assertThat(result.fallback())
        .contains("net0: the back end does not offer")
        .contains("net1: the back end does not offer");
    assertThat(fields(result, 0)).contains("memory table", "features");
    assertThat(result.waits()).isEqualTo(DEVICES);
  }

  @ParameterizedTest
  @EnumSource(
      value = Variant.class,
      names = {"IMPLICIT", "EXPLICIT", "OFF", "OFF_PIPELINED"})
  void packedRingsAreMigratedInEveryWay(Variant variant) {
    RunResult result = migrate(options(variant, 4).withPackedRings());

    assertThat(result.fallback()).isNull();
    assertThat(fields(result, 0)).contains("ring 0 base", "ring 7 base");
  }

  @ParameterizedTest
  @EnumSource
  void packedRingsAreMigratedAtEveryPersonality(Personality personality) {
    BackEndProfile profile =
        personality == Personality.DPDK ? BackEndProfile.DPDK : BackEndProfile.GENERIC;
    RunResult result =
        migrate(options(Variant.IMPLICIT).with(null, personality, profile).withPackedRings());

    assertThat(result.fallback()).isNull();
    assertThat(result.waits()).isEqualTo(DEVICES);
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"BACK_END_LOST_IN_WINDOW", "SOURCE_BACK_END_LOST", "CANCEL_AFTER_STOP"})
  void packedRingsSurviveABackEndThatIsLost(Failure failure) {
    Runs.run(options(Variant.IMPLICIT).withPackedRings().with(Change.NONE, failure));
  }
}
