package io.github.jvhost.bench;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The destination's stop window, after presetup, at a back end that answers at once: against a C
 * program that sends the same bytes, and against QEMU's order without presetup.
 */
public final class WindowBench implements Bench {
  private static final int DEVICES = 2;
  private static final List<Integer> PAIRS = List.of(1, 4, 16, 64);

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
    PAIRS.forEach(pairs -> all.addAll(questions(pairs).rows()));
    return new Questions(all)
        .askWithPeer(program -> {
          if (effort.warmUp() > 0) {
            compile(program);
          }
          List<BenchRow> rows = new ArrayList<>();
          for (int pairs : PAIRS) {
            rows.addAll(questions(pairs).ask(() -> rows(program, pairs, effort)));
          }
          return rows;
        });
  }

  private static Questions questions(int pairs) {
    String window = "stop window, %d devices x %d queue pairs".formatted(DEVICES, pairs);
    return Questions.of(
        new Question(window + "; to C that sends the same", new Goal.Within(1.3, true)),
        new Question(window + "; to off", new Goal.Shorter(5)));
  }

  private static void compile(PeerProgram program) {
    try (var contest = new WindowContest(program, DEVICES, PAIRS.getFirst())) {
      for (int i = 0; i < COMPILING_ROUNDS; i++) {
        contest.planned();
      }
    }
  }

  private static List<BenchRow> rows(PeerProgram program, int pairs, Effort effort) {
    try (var contest = new WindowContest(program, DEVICES, pairs)) {
      Questions questions = questions(pairs);
      List<Histogram> toC = contest.againstC(effort.times(pairs > FEW_PAIRS ? MORE : MUCH_MORE));
      List<Histogram> toOff = contest.againstOff(effort);
      return List.of(
          questions.rows().get(0).timed(toC.get(0), toC.get(1), contest.describe()),
          questions.rows().get(1).timed(toOff.get(0), toOff.get(1)));
    }
  }
}
