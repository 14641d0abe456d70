package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How many system calls a stop window of many devices takes, counted by strace in a JVM of its own.
 * The one with the fewest of several windows counts.
 */
public final class SystemCallBench implements Bench {
  private static final int DEVICES = 64;
  private static final int PAIRS = 2;
  private static final int WINDOWS = 12;
  private static final String TOOL = "strace";
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final String WINDOW =
      "stop window, %d devices x %d queue pairs, ".formatted(DEVICES, PAIRS);

  private static final Question CALLS =
      new Question(WINDOW + "system calls but waits", new Goal.NoMore(2 * DEVICES, "system calls"));

  private static final Question WAITS =
      new Question(WINDOW + "waits that found nothing", new Goal.NoMore(0, "waits"));

  /** A benchmark without state. */
  public SystemCallBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    Questions questions = Questions.of(CALLS, WAITS);
    if (ChildProcess.find(TOOL).isEmpty()) {
      return questions.all(new Measured.Not("no " + TOOL));
    }
    return questions.askWithPeerAnywhere(SystemCallBench::measure);
  }

  private static List<BenchRow> measure(PeerProgram program) {
    Path trace = program.newDirectory().resolve("trace");
    try (var backEnd = AnsweringPeer.start(program, DEVICES, Duration.ZERO)) {
      List<String> command = new ArrayList<>(List.of(TOOL, "-f", "-qq", "-o", trace.toString()));
      command.addAll(
          ThisJvm.command(
              TracedWindows.class,
              GroupWindows.arguments(backEnd.directory(), DEVICES, PAIRS, WINDOWS)));
      try (var child = ChildProcess.interactive("a traced JVM", command)) {
        if (!child.awaitExit(Deadline.after(PATIENCE)) || child.exitValue() != 0) {
          throw new VhostException("a traced JVM: " + child.lastLines(), Recovery.GIVE_UP);
        }
      }
    }
    SystemCalls calls = SystemCalls.ofFewest(lines(trace));
    return List.of(
        CALLS.is(new Measured.Counted(calls.withoutWaits(), "system calls", calls.describe())),
        WAITS.is(new Measured.Counted(calls.emptyWaits(), "waits", "of " + calls.waits())));
  }

  private static List<String> lines(Path trace) {
    try {
      return Files.readAllLines(trace);
    } catch (IOException e) {
      throw new VhostException("reading " + trace + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
