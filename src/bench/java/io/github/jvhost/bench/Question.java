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

  /**
   * Of rounds in which nobody was disturbed.
   *
   * @param reference the contestant against which the first one is held
   * @param note what else there is to say; may be empty
   */
  BenchRow timed(Rounds.Undisturbed rounds, int reference, String note) {
    if (rounds.leftOut() == rounds.rounds()) {
      return is(new Measured.Not("the machine has other work: " + rounds.describe()));
    }
    String all = note.isEmpty() ? rounds.describe() : note + ", " + rounds.describe();
    return timed(rounds.times().getFirst(), rounds.times().get(reference), all);
  }

  BenchRow is(Measured measured) {
    return new BenchRow(name, goal, measured);
  }
}
