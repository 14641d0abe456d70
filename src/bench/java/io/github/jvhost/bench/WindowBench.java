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

  /**
   * A size of the window.
   *
   * @param pairs queue pairs of a device
   * @param toPatches how many times the window of the patches of 2023 ours may take
   */
  private record Size(int pairs, double toPatches) {}

  private static final List<Size> SIZES =
      List.of(new Size(1, 1.1), new Size(4, 0.8), new Size(16, 0.4), new Size(64, 0.15));

  /** How much more often than usual: a 99th percentile wants some hundred rounds. */
  private static final double MORE = 5;

  /** The same where a round is short. */
  private static final double MUCH_MORE = 15;

  private static final int FEW_PAIRS = 4;

  /** Rounds of the smallest window before anything is timed, until all of it is compiled. */
  private static final int COMPILING_ROUNDS = 1500;

  /** Benchmarks without state. */
  public WindowBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    List<Question> all = new ArrayList<>();
    SIZES.forEach(size -> all.addAll(questions(size).rows()));
    return new Questions(all)
        .askWithPeer(program -> {
          if (effort.warmUp() > 0) {
            compile(program);
          }
          List<BenchRow> rows = new ArrayList<>();
          for (Size size : SIZES) {
            rows.addAll(questions(size).ask(() -> rows(program, size, effort)));
          }
          return rows;
        });
  }

  private static Questions questions(Size size) {
    String window = "stop window, %d devices x %d queue pairs".formatted(DEVICES, size.pairs);
    return Questions.of(
        new Question(window + "; to C that sends the same", new Goal.Within(1.2, true)),
        new Question(
            window + "; to C that sends kicks and calls too",
            new Goal.Within(size.toPatches, false)),
        new Question(window + "; to off", new Goal.Shorter(5)));
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
      Questions questions = questions(size);
      Rounds.Undisturbed toC =
          contest.againstC(effort.times(size.pairs > FEW_PAIRS ? MORE : MUCH_MORE));
      List<Histogram> toOff = contest.againstOff(effort);
      return List.of(
          questions.rows().get(0).timed(toC, 1, contest.describe()),
          questions.rows().get(1).timed(toC, 2, ""),
          questions.rows().get(2).timed(toOff.get(0), toOff.get(1)));
    }
  }
}
