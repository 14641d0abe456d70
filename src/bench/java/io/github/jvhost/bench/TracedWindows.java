package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.DeviceStart;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * {@link SystemCallBench} runs this in its own JVM, and strace lists its system calls. Before and
 * after the window it asks for a file that does not exist, which strace lists as well:
 *
 * <pre>
 *   connect, presetup, final states | BEGINS | DeviceStart.start | ENDS | close
 * </pre>
 */
final class TracedWindows {
  static final Path BEGINS = Path.of("/jvhost/window/begins");
  static final Path ENDS = Path.of("/jvhost/window/ends");

  private TracedWindows() {}

  /**
   * Goes through windows.
   *
   * @param args as {@link GroupWindows#main} has them
   */
  public static void main(String[] args) {
    Path directory = Path.of(args[0]);
    List<Path> sockets =
        IntStream.range(0, Integer.parseInt(args[1]))
            .mapToObj(i -> directory.resolve("" + i))
            .toList();
    var ledger = DescriptorLedger.counting();
    try (var arrivals = new Arrivals(ledger, Integer.parseInt(args[2]), sockets.getFirst())) {
      for (int i = 0; i < Integer.parseInt(args[3]); i++) {
        window(arrivals, sockets);
      }
    }
  }

  private static void window(Arrivals arrivals, List<Path> sockets) {
    List<VhostNet> nets = arrivals.connect(sockets);
    try {
      arrivals.presetup(nets);
      try (var start = new DeviceStart(nets, StartOrder.PLANNED)) {
        arrivals.complete(nets);
        Files.exists(BEGINS);
        start.start();
        Files.exists(ENDS);
        for (StartResult result : start.results()) {
          if (result.fallback() != null) {
            throw new VhostException("started twice: " + result.fallback(), Recovery.GIVE_UP);
          }
        }
      }
    } finally {
      Arrivals.leave(nets);
    }
  }
}
