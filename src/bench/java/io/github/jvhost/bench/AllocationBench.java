package io.github.jvhost.bench;

import com.sun.management.ThreadMXBean;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.DeviceStop;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StopWindow;
import io.github.jvhost.vhost.VhostNet;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * What a stop window allocates, by the JVM's own count ({@link ThreadMXBean}). One thread does all
 * of it on either side, so that is the one that is looked at.
 */
public final class AllocationBench implements Bench {
  private static final int DEVICES = 2;
  private static final int PAIRS = 4;
  private static final String UNIT = "bytes";

  /** The first rounds of a JVM link what they call, which allocates. */
  private static final int ROUNDS = 200;

  private static final Question DESTINATION =
      new Question(
          "allocated in the stop window, destination, %d devices x %d queue pairs"
              .formatted(DEVICES, PAIRS),
          new Goal.NoMore(0, UNIT));
  private static final Question SOURCE =
      new Question(
          "allocated in the stop window, source, the same devices", new Goal.NoMore(0, UNIT));

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Benchmarks without state. */
  public AllocationBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    int rounds = effort.warmUp() == 0 ? 1 : ROUNDS;
    return Questions.of(DESTINATION, SOURCE).askWithPeer(program -> measure(program, rounds));
  }

  private List<BenchRow> measure(PeerProgram program, int rounds) {
    try (var backEnd = AnsweringPeer.start(program, DEVICES, Duration.ZERO);
        var arrivals =
            new Arrivals(DescriptorLedger.counting(), PAIRS, backEnd.sockets(1).getFirst())) {
      backEnd.awaitClosed(1);
      long start = 0;
      long stop = 0;
      for (int i = 0; i < rounds; i++) {
        List<VhostNet> nets = arrivals.connect(backEnd.sockets(DEVICES));
        try (var window = prepared(arrivals, nets)) {
          start = allocated(window::start);
          window.results();
          try (var halt = new DeviceStop(nets, StartOrder.PLANNED)) {
            stop = allocated(halt::stop);
          }
        } finally {
          Arrivals.leave(nets);
        }
        backEnd.awaitClosed(DEVICES);
      }
      return List.of(
          DESTINATION.is(new Measured.Counted(start, UNIT, "from complete models to woken rings")),
          SOURCE.is(
              new Measured.Counted(stop, UNIT, "until it is in the models where rings stopped")));
    }
  }

  private static StopWindow prepared(Arrivals arrivals, List<VhostNet> nets) {
    arrivals.presetup(nets);
    var window = new StopWindow(nets, StartOrder.PLANNED);
    arrivals.complete(nets);
    return window;
  }

  private long allocated(Runnable work) {
    LongSupplier now = threads::getCurrentThreadAllocatedBytes;
    long before = now.getAsLong();
    work.run();
    return now.getAsLong() - before;
  }
}
