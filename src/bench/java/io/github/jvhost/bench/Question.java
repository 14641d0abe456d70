package io.github.jvhost.bench;

import org.HdrHistogram.Histogram;

/**
 * A row that is still to be filled in.
 *
 * @param name what is measured, and against what
 * @param goal what it is held against
 */
record Question(String name, Goal goal) {
  BenchRow timed(Histogram ours, Histogram reference) {
    return timed(ours, reference, "");
  }

  BenchRow timed(Histogram ours, Histogram reference, String note) {
    return is(new Measured.Timed(Times.of(ours), Times.of(reference), note));
  }

  BenchRow is(Measured measured) {
    return new BenchRow(name, goal, measured);
  }
}
