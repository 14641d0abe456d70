package io.github.jvhost.bench;

import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.vhost.VhostNetGroup;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * The first start of a JVM whose program knows {@link VhostNetGroup} and no migration, after {@link
 * VhostNetGroup#presetup} and its rehearsal, against its tenth. Each sample is a JVM of its own.
 */
public final class GroupStartBench implements Bench {
  private static final int DEVICES = 2;
  private static final int PAIRS = 1;
  private static final int WINDOWS = 10;

  /** Rounds of {@link Effort} that one JVM takes the place of. */
  private static final int ROUNDS_EACH = 12;

  private static final Question ROW =
      new Question(
          "VhostNetGroup alone, %d devices, first start of a JVM; to its tenth".formatted(DEVICES),
          new Goal.Within(2, false));

  /** A benchmark without state. */
  public GroupStartBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    return Questions.of(ROW).askWithPeerAnywhere(program -> List.of(measure(program, effort)));
  }

  private static BenchRow measure(PeerProgram program, Effort effort) {
    int samples = Math.max(1, effort.rounds() / ROUNDS_EACH);
    Histogram first = new Histogram(3);
    Histogram tenth = new Histogram(3);
    try (var backEnd = AnsweringPeer.start(program, DEVICES, Duration.ZERO)) {
      for (int i = 0; i < samples; i++) {
        List<String> command =
            ThisJvm.command(
                GroupWindows.class,
                GroupWindows.arguments(backEnd.directory(), DEVICES, PAIRS, WINDOWS));
        try (var lines = new PeerLines(ChildProcess.leashed("a fresh JVM", command, Map.of()))) {
          first.recordValue(nanos(lines));
          for (int window = 2; window < WINDOWS; window++) {
            nanos(lines);
          }
          tenth.recordValue(nanos(lines));
        }
        backEnd.awaitClosed(1 + WINDOWS * DEVICES);
      }
    }
    return ROW.timed(first, tenth, samples + " JVMs");
  }

  /** Nanoseconds of its next window; what it logs is passed over. */
  private static long nanos(PeerLines lines) {
    String line;
    do {
      line = lines.next("a window of a fresh JVM");
    } while (!line.startsWith(GroupWindows.WINDOW));
    return Long.parseLong(line.substring(GroupWindows.WINDOW.length()));
  }
}
