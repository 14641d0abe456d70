package io.github.jvhost.bench;

import java.util.List;
import org.HdrHistogram.Histogram;

/** Times two pieces of work of this process against each other. */
final class PairedTiming {
  private final int goes;

  /**
   * Rounds of so many goes each: what is short is done often enough for the clock to see it.
   *
   * @param goes in each round, 1 or more
   */
  PairedTiming(int goes) {
    this.goes = goes;
  }

  /** What is timed; its result is kept, so that it cannot be left out. */
  @FunctionalInterface
  interface Work {
    Object go();
  }

  /**
   * Times both.
   *
   * @param name of the row
   * @param limit the goal
   */
  BenchRow compare(String name, double limit, Work ours, Work reference, Effort effort) {
    List<Histogram> times = Rounds.run(effort, List.of(() -> time(ours), () -> time(reference)));
    return new Question(name, new Goal.Within(limit, false)).timed(times.get(0), times.get(1));
  }

  /** Nanoseconds for one go. */
  private long time(Work work) {
    int seen = 0;
    long from = System.nanoTime();
    for (int i = 0; i < goes; i++) {
      seen ^= System.identityHashCode(work.go());
    }
    long nanos = System.nanoTime() - from;
    // Never so, which the compiler cannot know.
    return seen == Integer.MIN_VALUE ? 0 : nanos / goes;
  }
}
