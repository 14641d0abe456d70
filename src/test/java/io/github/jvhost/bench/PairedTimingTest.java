package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** That the benchmarks run and say what they measured; what it was is nobody's business here. */
class PairedTimingTest {

  @Test
  void bothAreDoneAlikeOftenAndWarmUpIsNotCounted() {
    AtomicInteger ours = new AtomicInteger();
    AtomicInteger reference = new AtomicInteger();

    BenchRow row =
        new PairedTiming(5)
            .compare(
                "row", 1.5, ours::incrementAndGet, reference::incrementAndGet, new Effort(2, 4));

    assertThat(ours).hasValue(5 * (2 + 4));
    assertThat(reference).hasValue(5 * (2 + 4));
    assertThat(row.oursNanos()).isPositive();
    assertThat(row.ours99Nanos()).isGreaterThanOrEqualTo(row.oursNanos());
  }

  @Test
  void aRatioIsThatOfTheMedians() {
    BenchRow row = new BenchRow("row", 2, 3_000, 2_000, 9_000_000, 8_000);

    assertThat(row.ratio()).isEqualTo(1.5);
    assertThat(row.holds()).isTrue();
    assertThat(row.goal()).isEqualTo("<= 2.0 times");
    assertThat(row.measured()).isEqualTo("p50 3.0 us to 2.0 us, p99 9.00 ms to 8.0 us");
    assertThat(new BenchRow("row", 1.4, 3, 2, 3, 2).holds()).isFalse();
  }

  @Test
  void savedStatesAreMeasured() {
    List<BenchRow> rows = new SavedStateBench().run(new Effort(0, 1));

    assertThat(rows).hasSize(3).allSatisfy(row -> assertThat(row.ratio()).isPositive());
  }
}
