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
    assertThat(row.measured()).isInstanceOf(Measured.Timed.class);
  }

  @Test
  void savedStatesAreMeasured() {
    List<BenchRow> rows = new SavedStateBench().run(new Effort(0, 1));

    assertThat(rows).hasSize(3).allSatisfy(row -> assertThat(row.ratio()).isPresent());
  }
}
