package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.HardwareModel;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a result says of when back ends were told what. */
@Timeout(60)
class TimeLineTest {
  private static final HardwareModel HARDWARE =
      new HardwareModel("little (modelled)", 100, 200, 0, 100, 0);

  private static RunResult run(ScenarioOptions options) {
    return new MigrationScenario(options, (_, _) -> {}).run();
  }

  private static long moment(RunResult result, String name) {
    return result.timeLine().moments().stream()
        .filter(m -> m.name().equals(name))
        .mapToLong(TimeLine.Moment::nanos)
        .findFirst()
        .orElseThrow();
  }

  private static List<TimeLine.Lane> lanes(RunResult result, String side) {
    return result.timeLine().lanes().stream().filter(l -> l.side().equals(side)).toList();
  }

  private static long told(List<TimeLine.Lane> lanes, long from, long to) {
    return lanes.stream()
        .flatMap(l -> l.messages().stream())
        .filter(m -> m.nanos() >= from && m.nanos() <= to)
        .count();
  }

  @ParameterizedTest
  @EnumSource(
      value = Variant.class,
      names = {"OFF", "OFF_PIPELINED", "EXPLICIT", "IMPLICIT"})
  void whatBackEndsGotInTheWindowIsWhatTheyWereTold(Variant variant) {
    RunResult result = run(ScenarioOptions.of(variant).with(HARDWARE, null, null));

    assertThat(result.timeLine().moments().stream().map(TimeLine.Moment::name))
        .containsExactly(
            "pausing", "paused", "stopped", "final", "lastFinal", "restored", "started", "resumed");
    assertThat(result.timeLine().moments().stream().map(TimeLine.Moment::nanos)).isSorted();
    assertThat(lanes(result, "destination").stream().map(TimeLine.Lane::device))
        .containsExactly("net0", "net1");
    assertThat(
            told(lanes(result, "destination"), moment(result, "final"), moment(result, "started")))
        .isEqualTo(result.messages());
    assertThat(told(lanes(result, "source"), moment(result, "paused"), moment(result, "resumed")))
        .isEqualTo(result.sourceMessages());
    assertThat((moment(result, "resumed") - moment(result, "pausing")) / 1_000)
        .isEqualTo(result.phases().get("downtime"));
    long charged =
        lanes(result, "destination").stream()
            .flatMap(l -> l.charges().stream())
            .filter(
                c -> c.nanos() >= moment(result, "final") && c.nanos() <= moment(result, "started"))
            .mapToLong(TimeLine.Charge::micros)
            .sum();
    assertThat(charged).isPositive().isEqualTo(result.backEndConfigMicros());
  }

  @Test
  void whatIsToldEarlyIsBeforeThePause() {
    RunResult result = run(ScenarioOptions.of(Variant.EXPLICIT));
    long paused = moment(result, "paused");

    for (TimeLine.Lane lane : lanes(result, "destination")) {
      assertThat(lane.messages().stream().filter(m -> m.name().equals("PRESETUP")))
          .hasSize(2)
          .allSatisfy(m -> assertThat(m.nanos()).isBetween(0L, paused))
          .last()
          .satisfies(m -> assertThat(m.answered()).as("the end is acknowledged").isTrue());
    }
  }

  @Test
  void aMigrationThatIsCancelledHasMessagesAndNoMoments() {
    RunResult result =
        run(ScenarioOptions.of(Variant.IMPLICIT).with(Change.NONE, Failure.CANCEL_IN_ITERATE));

    assertThat(result.timeLine().moments()).isEmpty();
    assertThat(lanes(result, "source"))
        .hasSize(2)
        .allSatisfy(l -> assertThat(l.messages()).isNotEmpty());
  }
}
