package io.github.jvhost.bench;

import io.github.jvhost.testkit.scenario.MigrationScenario;
import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.ScenarioProgress;
import io.github.jvhost.testkit.scenario.Variant;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The destination's stop window of whole migrations, with a back end that answers at once: explicit
 * presetup against QEMU's order of messages, which waits wherever QEMU waits, device after device.
 * Both run in turn, and in this one process.
 *
 * <p>So few migrations say nothing of a 99th percentile: it is that of what there was, which is the
 * longest.
 */
public final class WindowBench {
  private static final int DEVICES = 2;
  private static final long MEMORY = 64L << 20;
  private static final double LIMIT = 0.2;

  /** Rounds of {@link Effort} that one migration takes the place of. */
  private static final int ROUNDS_EACH = 12;

  private static final int DIGITS = 3;

  /** Benchmarks without state. */
  public WindowBench() {}

  /**
   * Runs all of it.
   *
   * @param progress hears of the migrations as they go
   * @return a row for each number of queue pairs
   */
  public List<BenchRow> run(Effort effort, ScenarioProgress progress) {
    List<BenchRow> rows = new ArrayList<>();
    for (int pairs : new int[] {1, 4, 8}) {
      rows.add(compare(pairs, effort, progress));
    }
    return rows;
  }

  private static BenchRow compare(int pairs, Effort effort, ScenarioProgress progress) {
    Histogram ours = new Histogram(DIGITS);
    Histogram reference = new Histogram(DIGITS);
    int warmUp = Math.max(1, effort.warmUp() / (2 * ROUNDS_EACH));
    int counted = Math.max(1, effort.rounds() / ROUNDS_EACH);
    for (int round = -warmUp; round < counted; round++) {
      boolean oursFirst = (round & 1) == 0;
      for (boolean turn : new boolean[] {oursFirst, !oursFirst}) {
        long nanos = windowNanos(turn ? Variant.EXPLICIT : Variant.OFF, pairs, progress);
        if (round >= 0) {
          (turn ? ours : reference).recordValue(nanos);
        }
      }
    }
    return new BenchRow(
        "stop window, %d devices, queue pairs of each: %d, %d migrations; to QEMU's order"
            .formatted(DEVICES, pairs, counted),
        LIMIT,
        ours.getValueAtPercentile(50),
        reference.getValueAtPercentile(50),
        ours.getMaxValue(),
        reference.getMaxValue());
  }

  private static long windowNanos(Variant variant, int pairs, ScenarioProgress progress) {
    ScenarioOptions options = ScenarioOptions.of(variant).sized(DEVICES, pairs, MEMORY);
    RunResult result = new MigrationScenario(options, progress).run();
    return Math.max(1, result.destinationMicros() * 1_000);
  }
}
