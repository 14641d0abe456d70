package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.StartOrder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/**
 * A thousand devices on one destination: whether each message still costs what it costs with few,
 * and what they hold while nothing happens to them.
 */
public final class ManyDevicesBench implements Bench {
  private static final int MANY = 1000;
  private static final int FEW = 64;
  private static final Path LIMITS = Path.of("/proc/self/limits");
  private static final String OPEN_FILES = "Max open files";

  /** The back end has two sockets for each device, and there is room for what else is open. */
  private static final long FILES = 2 * MANY + 200;

  /** A round of so many devices takes long: there are fewer. */
  private static final double LESS = 1.0 / 6;

  private static final Question TIME =
      new Question(
          "a message of the stop window, %d devices; to %d devices".formatted(MANY, FEW),
          new Goal.Within(1.1, false));

  private static final Question THREADS =
      new Question(
          "threads that %d running, idle devices add".formatted(MANY),
          new Goal.NoMore(0, "threads"));

  private static final Question MEMORY =
      new Question("memory of one idle device of %d".formatted(MANY), new Goal.Known());

  /** Benchmarks without state. */
  public ManyDevicesBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    Questions questions = Questions.of(TIME, THREADS, MEMORY);
    long files = openFiles();
    if (files < FILES) {
      return questions.all(
          new Measured.Not("%d open files allowed, %d needed".formatted(files, FILES)));
    }
    return questions.askWithPeer(program -> measure(program, effort.times(LESS)));
  }

  /** The hard limit, which the JVM and the C program take for theirs. */
  private static long openFiles() {
    try (var lines = Files.lines(LIMITS)) {
      return lines
          .filter(line -> line.startsWith(OPEN_FILES))
          .map(line -> line.substring(OPEN_FILES.length()).strip().split(" +", -1)[1])
          .mapToLong(hard -> hard.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(hard))
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      throw new VhostException("reading " + LIMITS + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private static List<BenchRow> measure(PeerProgram program, Effort effort) {
    try (var backEnd = AnsweringPeer.start(program, MANY, Duration.ZERO);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), 1, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);
      List<BenchRow> rows = new ArrayList<>(idle(backEnd));
      List<Histogram> times =
          Rounds.run(
              effort,
              List.of(
                  () -> message(arrivals, backEnd, MANY), () -> message(arrivals, backEnd, FEW)));
      rows.addFirst(TIME.timed(times.get(0), times.get(1), "for each message"));
      return rows;
    }
  }

  private static long message(Arrivals arrivals, AnsweringPeer backEnd, int devices) {
    return WindowRound.go(arrivals, backEnd, devices, StartOrder.PLANNED).nanosPerMessage();
  }

  private static List<BenchRow> idle(AnsweringPeer backEnd) {
    IdleDevices idle = IdleDevices.look(MANY, backEnd);
    String memory =
        String.format(
            Locale.ROOT,
            "%.1f KiB of heap, %.1f KiB outside of it",
            idle.heapBytes() / 1024.0 / MANY,
            idle.nativeBytes() / 1024.0 / MANY);
    return List.of(
        THREADS.is(new Measured.Counted(idle.threads(), "threads", "")),
        MEMORY.is(new Measured.Found(memory)));
  }
}
