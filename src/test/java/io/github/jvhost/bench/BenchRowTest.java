package io.github.jvhost.bench;

import static io.github.jvhost.bench.BenchRow.Verdict.HOLDS;
import static io.github.jvhost.bench.BenchRow.Verdict.MISSED;
import static io.github.jvhost.bench.BenchRow.Verdict.OPEN;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a row says of itself. */
class BenchRowTest {
  private static BenchRow row(Goal goal, Times ours, Times reference) {
    return new BenchRow("row", goal, new Measured.Timed(ours, reference, ""));
  }

  @Test
  void aRatioIsThatOfTheMedians() {
    BenchRow row = new BenchRow("row", 2, 3_000, 2_000, 9_000_000, 8_000);

    assertThat(row.ratio()).hasValue(1.5);
    assertThat(row.ratio99()).hasValue(1125);
    assertThat(row.verdict()).isEqualTo(HOLDS);
    assertThat(row.goal().describe()).isEqualTo("<= 2.00 times");
    assertThat(row.measured().describe()).isEqualTo("p50 3.0 us to 2.0 us, p99 9.00 ms to 8.0 us");
    assertThat(new BenchRow("row", 1.4, 3, 2, 3, 2).verdict()).isEqualTo(MISSED);
  }

  @Test
  void aGoalForTheTailIsMissedByTheTailAlone() {
    var both = new Goal.Within(1.3, true);
    var reference = new Times(100, 1000);

    assertThat(row(both, new Times(130, 1300), reference).verdict()).isEqualTo(HOLDS);
    assertThat(row(both, new Times(130, 1301), reference).verdict()).isEqualTo(MISSED);
    assertThat(row(both, new Times(131, 1300), reference).verdict()).isEqualTo(MISSED);
    assertThat(both.describe()).isEqualTo("<= 1.30 times, p50 and p99");
  }

  @Test
  void shorterCountsHowManyTimesShorterItIs() {
    var five = new Goal.Shorter(5);

    BenchRow held = row(five, new Times(20, 50), new Times(100, 100));

    assertThat(held.ratio()).hasValue(5);
    assertThat(held.ratio99()).hasValue(2);
    assertThat(held.verdict()).isEqualTo(HOLDS);
    assertThat(row(five, new Times(21, 21), new Times(100, 300)).verdict()).isEqualTo(MISSED);
    assertThat(five.describe()).isEqualTo(">= 5 times shorter");
  }

  @Test
  void flatIsAboutTheSame() {
    var flat = new Goal.Flat(1.25);

    assertThat(row(flat, new Times(125, 900), new Times(100, 100)).verdict()).isEqualTo(HOLDS);
    assertThat(row(flat, new Times(126, 126), new Times(100, 100)).verdict()).isEqualTo(MISSED);
    assertThat(flat.describe()).isEqualTo("flat (<= 1.25 times)");
  }

  @Test
  void whatIsCountedHasNoRatio() {
    var none = new Goal.NoMore(0, "threads");

    BenchRow row = new BenchRow("row", none, new Measured.Counted(0, "threads", ""));

    assertThat(row.ratio()).isEmpty();
    assertThat(row.verdict()).isEqualTo(HOLDS);
    assertThat(new BenchRow("row", none, new Measured.Counted(1, "threads", "")).verdict())
        .isEqualTo(MISSED);
  }

  @Test
  void whatWasNotMeasuredIsNeitherHeldNorMissed() {
    var goal = new Goal.Within(1, true);

    BenchRow row = new BenchRow("row", goal, new Measured.Not("no gcc"));

    assertThat(row.verdict()).isEqualTo(OPEN);
    assertThat(row.ratio()).isEmpty();
    assertThat(row.measured().describe()).isEqualTo("not measured: no gcc");
    assertThat(new BenchRow("row", goal, new Measured.Failed("it broke")).verdict())
        .isEqualTo(MISSED);
    assertThat(new BenchRow("row", new Goal.Known(), new Measured.Found("3")).verdict())
        .isEqualTo(OPEN);
  }
}
