package io.github.jvhost.bench;

import org.HdrHistogram.Histogram;

/**
 * Times two pieces of work in turn, so that what else the machine does meets both. Which of them
 * goes first changes with every round.
 */
final class PairedTiming {
  private static final int DIGITS = 3;

  /** Far longer than a round of a benchmark takes. */
  private static final long MOST_NANOS = 60_000_000_000L;

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
    Histogram oursTimes = new Histogram(MOST_NANOS, DIGITS);
    Histogram referenceTimes = new Histogram(MOST_NANOS, DIGITS);
    for (int round = -effort.warmUp(); round < effort.rounds(); round++) {
      boolean oursFirst = (round & 1) == 0;
      long first = time(oursFirst ? ours : reference);
      long second = time(oursFirst ? reference : ours);
      if (round >= 0) {
        oursTimes.recordValue(oursFirst ? first : second);
        referenceTimes.recordValue(oursFirst ? second : first);
      }
    }
    return new BenchRow(
        name,
        limit,
        oursTimes.getValueAtPercentile(50),
        Math.max(1, referenceTimes.getValueAtPercentile(50)),
        oursTimes.getValueAtPercentile(99),
        Math.max(1, referenceTimes.getValueAtPercentile(99)));
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
    return Math.clamp(seen == Integer.MIN_VALUE ? 0 : nanos / goes, 1, MOST_NANOS);
  }
}
