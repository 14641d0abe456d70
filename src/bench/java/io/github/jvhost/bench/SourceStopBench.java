package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.DeviceStop;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.plan.Outcome;
import java.time.Duration;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The source's stop: all GET_VRING_BASE on their way before the first answer is read, against one
 * after the other, as every front end does it today.
 */
public final class SourceStopBench implements Bench {
  private static final int PAIRS = 8;
  private static final double MORE = 5;
  private static final int WARM_UP = 500;

  private static final Question QUESTION =
      new Question(
          "source stop, %d rings, all at once; to one at a time".formatted(2 * PAIRS),
          new Goal.Shorter(3));

  /** Benchmarks without state. */
  public SourceStopBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    Effort longer = effort.times(MORE);
    Effort warm = effort.warmUp() == 0 ? longer : longer.warmedUp(WARM_UP);
    return Questions.of(QUESTION).askWithPeer(program -> List.of(measure(program, warm)));
  }

  private static BenchRow measure(PeerProgram program, Effort effort) {
    try (var backEnd = AnsweringPeer.start(program, 2, Duration.ZERO);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), PAIRS, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);
      List<VhostNet> nets = arrivals.connect(backEnd.sockets(2));
      try {
        arrivals.complete(nets);
        List<Histogram> times =
            Rounds.run(
                effort,
                List.of(
                    () -> stop(nets.get(0), StartOrder.PLANNED),
                    () -> stop(nets.get(1), QemuOrder.QEMU)));
        return QUESTION.timed(times.get(0), times.get(1));
      } finally {
        Arrivals.leave(nets);
      }
    }
  }

  /** Starts the device, then stops it; nanoseconds until the last answer. */
  private static long stop(VhostNet net, StartOrder order) {
    for (StartResult started : VhostNetGroup.start(List.of(net), StartOrder.PLANNED)) {
      if (!started.running()) {
        throw new VhostException("the device does not start", Recovery.GIVE_UP);
      }
    }
    try (var stop = new DeviceStop(List.of(net), order)) {
      Arrivals.beBusy(System.nanoTime());
      long from = System.nanoTime();
      stop.stop();
      Outcome outcome = stop.outcomes().getFirst().orThrow();
      return outcome.endNanos() - from;
    }
  }
}
