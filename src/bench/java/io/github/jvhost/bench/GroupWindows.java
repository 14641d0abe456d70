package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * {@link GroupStartBench} runs this in its own JVM: a program that knows {@link VhostNetGroup} and
 * no migration goes through one window after the other, from the JVM's first one on. Prints the
 * nanoseconds of each, in a line that begins with {@link #WINDOW}.
 *
 * <pre>
 *   connect, VhostNetGroup.presetup | final states, 0.5 ms | VhostNetGroup.start | close
 *                                                            \____ timed _____/
 * </pre>
 */
final class GroupWindows {
  static final String WINDOW = "window ";

  private GroupWindows() {}

  /** What {@link #main} wants. */
  static List<String> arguments(Path directory, int devices, int pairs, int windows) {
    return List.of(
        directory.toString(),
        Integer.toString(devices),
        Integer.toString(pairs),
        Integer.toString(windows));
  }

  /**
   * Goes through windows.
   *
   * @param args directory of the back ends' sockets; devices, queue pairs of each, windows
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
        System.out.println(WINDOW + window(arrivals, sockets));
      }
    }
  }

  private static long window(Arrivals arrivals, List<Path> sockets) {
    List<VhostNet> nets = arrivals.connect(sockets);
    try {
      for (PresetupResult result :
          VhostNetGroup.presetup(PresetupMode.EXPLICIT, arrivals.early(nets), () -> false)) {
        if (!result.done()) {
          throw new VhostException("presetup: " + result.note(), Recovery.GIVE_UP);
        }
      }
      arrivals.complete(nets);
      long from = System.nanoTime();
      List<StartResult> started = VhostNetGroup.start(nets, StartOrder.PLANNED);
      long nanos = System.nanoTime() - from;
      for (StartResult start : started) {
        if (start.fallback() != null) {
          throw new VhostException("started twice: " + start.fallback(), Recovery.GIVE_UP);
        }
      }
      return nanos;
    } finally {
      Arrivals.leave(nets);
    }
  }
}
