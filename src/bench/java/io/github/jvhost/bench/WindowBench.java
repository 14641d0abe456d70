package io.github.jvhost.bench;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The destination's stop window, after presetup, at a back end that answers at once: against a C
 * program that sends the same bytes, against one that sends what the patches of 2023 leave for the
 * window (base, kick and call of each ring), and against QEMU's order without presetup.
 */
public final class WindowBench implements Bench {
  private static final int DEVICES = 2;

  /** Rounds of the smallest window before anything is timed, until all of it is compiled. */
  private static final int COMPILING_ROUNDS = 1500;

  /** A 99th percentile wants hundreds of rounds; the smaller the window, the shorter is one. */
  private static final List<Size> SIZES =
      List.of(
          new Size(1, 1.1, 15), new Size(4, 0.8, 15), new Size(16, 0.4, 5), new Size(64, 0.15, 5));

  /** Benchmarks without state. */
  public WindowBench() {}

  /**
   * A size of the window, and its rows.
   *
   * @param pairs queue pairs of a device
   * @param toPatches how many times the window of the patches of 2023 ours may take
   * @param rounds how many times more than usual
   */
  private record Size(int pairs, double toPatches, double rounds) {
    Question same() {
      return to("C that sends the same", new Goal.Within(1.2, true));
    }

    Question patches() {
      return to("C that sends kicks and calls too", new Goal.Within(toPatches, false));
    }

    Question off() {
      return to("off", new Goal.Shorter(5));
    }

    Questions all() {
      return Questions.of(same(), patches(), off());
    }

    private Question to(String whom, Goal goal) {
      return new Question(
          "stop window, %d devices x %d queue pairs; to %s".formatted(DEVICES, pairs, whom), goal);
    }
  }

  @Override
  public List<BenchRow> run(Effort effort) {
    List<Question> all = SIZES.stream().flatMap(size -> size.all().rows().stream()).toList();
    return new Questions(all)
        .askWithPeer(program -> {
          if (effort.warmUp() > 0) {
            compile(program);
          }
          List<BenchRow> rows = new ArrayList<>();
          for (Size size : SIZES) {
            rows.addAll(size.all().ask(() -> rows(program, size, effort)));
          }
          return rows;
        });
  }

  private static void compile(PeerProgram program) {
    try (var contest = new WindowContest(program, DEVICES, SIZES.getFirst().pairs)) {
      for (int i = 0; i < COMPILING_ROUNDS; i++) {
        contest.planned();
      }
    }
  }

  private static List<BenchRow> rows(PeerProgram program, Size size, Effort effort) {
    try (var contest = new WindowContest(program, DEVICES, size.pairs)) {
      Rounds.Undisturbed toC = contest.againstC(effort.times(size.rounds));
      List<Histogram> toOff = contest.againstOff(effort);
      return List.of(
          size.same().timed(toC, 1, contest.describe()),
          size.patches().timed(toC, 2, ""),
          size.off().timed(toOff.get(0), toOff.get(1)));
    }
  }
}
