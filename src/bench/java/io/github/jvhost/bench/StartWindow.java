package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.DeviceStart;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import java.util.List;

/**
 * The destination's stop window, timed: from complete models to the last barrier's answer. This is
 * the one place where the library is called for it.
 *
 * <pre>
 *   connect, presetup | new StartWindow | final states | start() ... last answer | rings woken
 *                                                       \____ barrierNanos ____/
 * </pre>
 */
final class StartWindow implements AutoCloseable {
  private final DeviceStart window;
  private List<StartResult> results = List.of();

  /** Makes ready what can be made ready before the guest stops. */
  StartWindow(List<VhostNet> nets, StartOrder order) {
    window = new DeviceStart(nets, order);
  }

  /**
   * The window.
   *
   * @return nanoseconds until the last barrier was answered
   */
  long start() {
    long from = System.nanoTime();
    window.start();
    results = window.results();
    long end = from;
    for (StartResult result : results) {
      end = Math.max(end, result.outcome().endNanos());
    }
    return end - from;
  }

  /**
   * Every device runs, at the first attempt.
   *
   * @throws VhostException one does not
   */
  void check() {
    for (StartResult result : results) {
      if (!result.running() || result.fallback() != null) {
        throw new VhostException(
            "a device did not start at once: " + result.fallback(), Recovery.GIVE_UP);
      }
    }
  }

  /** Messages to all devices, the barriers among them. */
  int messages() {
    return results.stream().mapToInt(StartResult::messages).sum();
  }

  @Override
  public void close() {
    window.close();
  }
}
