package io.github.jvhost.bench;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.StartOrder;
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

  /** A round of so many devices takes long: there are fewer. */
  private static final double LESS = 1.0 / 6;

  private static final Question TIME =
      new Question(
          "a message of the stop window, %d devices; to %d devices".formatted(MANY, FEW),
          new Goal.Within(1.25, false));

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
    return Questions.of(TIME, THREADS, MEMORY)
        .askWithPeer(program -> measure(program, effort.times(LESS)));
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
