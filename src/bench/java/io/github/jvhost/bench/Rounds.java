package io.github.jvhost.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.HdrHistogram.Histogram;

/**
 * Runs several contestants in turn, so that other load of the machine affects all of them. The
 * first one changes with every round.
 *
 * <pre>
 *   round 0: A B C     round 1: B C A     round 2: C A B  ...
 * </pre>
 */
final class Rounds {
  private static final int DIGITS = 3;

  /** Far longer than a round of a benchmark takes. */
  private static final long MOST_NANOS = 60_000_000_000L;

  private Rounds() {}

  /** Does once what is measured. */
  @FunctionalInterface
  interface Contestant {
    /** How long it took. */
    long nanos();
  }

  /**
   * Runs all rounds.
   *
   * @return one histogram a contestant, in nanoseconds, without what was warm-up
   */
  static List<Histogram> run(Effort effort, List<Contestant> contestants) {
    return undisturbed(effort, contestants, () -> false).times();
  }

  /**
   * What is left of many rounds without those in which a contestant was disturbed.
   *
   * @param times one histogram a contestant, of the rounds that count; empty if none does
   * @param rounds all rounds after warm-up
   * @param leftOut those that do not count, for any contestant
   */
  record Undisturbed(List<Histogram> times, int rounds, int leftOut) {
    /** For people: "120 of 900 rounds left out". */
    String describe() {
      return "%d of %d rounds left out".formatted(leftOut, rounds);
    }
  }

  /**
   * The same, but a round in which anybody was disturbed counts for nobody: the others would
   * otherwise be held against a time that says nothing of its contestant.
   *
   * @param disturbed called after each round: whether somebody was
   */
  static Undisturbed undisturbed(
      Effort effort, List<Contestant> contestants, BooleanSupplier disturbed) {
    List<Histogram> times = new ArrayList<>(contestants.size());
    contestants.forEach(_ -> times.add(new Histogram(MOST_NANOS, DIGITS)));
    long[] nanos = new long[contestants.size()];
    int leftOut = 0;
    for (int round = -effort.warmUp(); round < effort.rounds(); round++) {
      for (int turn = 0; turn < nanos.length; turn++) {
        int who = Math.floorMod(round + turn, nanos.length);
        nanos[who] = Math.clamp(contestants.get(who).nanos(), 1, MOST_NANOS);
      }
      boolean counts = !disturbed.getAsBoolean();
      for (int who = 0; round >= 0 && counts && who < nanos.length; who++) {
        times.get(who).recordValue(nanos[who]);
      }
      leftOut += round >= 0 && !counts ? 1 : 0;
    }
    return new Undisturbed(times, effort.rounds(), leftOut);
  }
}
