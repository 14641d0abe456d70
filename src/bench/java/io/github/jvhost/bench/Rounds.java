package io.github.jvhost.bench;

import java.util.ArrayList;
import java.util.List;
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
    List<Histogram> times = new ArrayList<>(contestants.size());
    contestants.forEach(_ -> times.add(new Histogram(MOST_NANOS, DIGITS)));
    for (int round = -effort.warmUp(); round < effort.rounds(); round++) {
      for (int turn = 0; turn < contestants.size(); turn++) {
        int who = Math.floorMod(round + turn, contestants.size());
        long nanos = Math.clamp(contestants.get(who).nanos(), 1, MOST_NANOS);
        if (round >= 0) {
          times.get(who).recordValue(nanos);
        }
      }
    }
    return times;
  }
}
