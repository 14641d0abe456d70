package io.github.jvhost.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * The destination's stop window, after presetup, at a back end that answers at once: against a C
 * program that sends the same bytes, against one that sends what the patches of 2023 leave for the
 * window (base, kick and call of each ring), and against QEMU's order without presetup.
 */
public final class WindowBench implements Bench {
  private static final int DEVICES = 2;

  /** Queue pairs, and how many times the window of the patches of 2023 ours may take. */
  private static final SortedMap<Integer, Double> PAIRS =
      new TreeMap<>(Map.of(1, 1.1, 4, 0.8, 16, 0.4, 64, 0.15));

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
    PAIRS.keySet().forEach(pairs -> all.addAll(questions(pairs).rows()));
    return new Questions(all)
        .askWithPeer(program -> {
          if (effort.warmUp() > 0) {
            compile(program);
          }
          List<BenchRow> rows = new ArrayList<>();
          for (int pairs : PAIRS.keySet()) {
            rows.addAll(questions(pairs).ask(() -> rows(program, pairs, effort)));
          }
          return rows;
        });
  }

  private static Questions questions(int pairs) {
    double rfc = PAIRS.getOrDefault(pairs, 1.0);
    String window = "stop window, %d devices x %d queue pairs".formatted(DEVICES, pairs);
    return Questions.of(
        new Question(window + "; to C that sends the same", new Goal.Within(1.2, true)),
        new Question(window + "; to C that sends kicks and calls too", new Goal.Within(rfc, false)),
        new Question(window + "; to off", new Goal.Shorter(5)));
  }

  private static void compile(PeerProgram program) {
    try (var contest = new WindowContest(program, DEVICES, PAIRS.firstKey())) {
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
          questions.rows().get(1).timed(toC.get(0), toC.get(2)),
          questions.rows().get(2).timed(toOff.get(0), toOff.get(1)));
    }
  }
}
