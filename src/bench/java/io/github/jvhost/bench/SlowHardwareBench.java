package io.github.jvhost.bench;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.StartOrder;
import java.time.Duration;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * Devices whose hardware needs its time after DRIVER_OK, which is modelled: many of them against
 * one. A front end that waits for one device before it starts the next takes the time of each.
 */
public final class SlowHardwareBench implements Bench {
  private static final int DEVICES = 64;
  private static final Duration DELAY = Duration.ofNanos(6_600_000);

  private static final Question QUESTION =
      new Question(
          "stop window, %d devices that need %.1f ms each (modelled); to one"
              .formatted(DEVICES, DELAY.toNanos() / 1e6),
          new Goal.Within(1.25, false));

  /** Benchmarks without state. */
  public SlowHardwareBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    return Questions.of(QUESTION).askWithPeer(program -> List.of(measure(program, effort)));
  }

  private static BenchRow measure(PeerProgram program, Effort effort) {
    try (var backEnd = AnsweringPeer.start(program, DEVICES, DELAY);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), 1, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);
      List<Histogram> times =
          Rounds.run(
              effort,
              List.of(
                  () -> window(arrivals, backEnd, DEVICES), () -> window(arrivals, backEnd, 1)));
      return QUESTION.timed(times.get(0), times.get(1));
    }
  }

  private static long window(Arrivals arrivals, AnsweringPeer backEnd, int devices) {
    return WindowRound.go(arrivals, backEnd, devices, StartOrder.PLANNED).nanos();
  }
}
