package io.github.jvhost.bench;

import io.github.jvhost.bench.AnsweringPeer.Conversation;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import java.util.List;

/**
 * The library's stop window, once: devices connect again, are preset if the order says so, receive
 * their final states, and start.
 *
 * @param nanos of the window, up to the last barrier's answer
 * @param messages in it
 * @param preemptions of this thread in it, and in the half millisecond before
 * @param heard what the back ends heard, from the first connection to the last close
 */
record WindowRound(long nanos, int messages, long preemptions, List<Conversation> heard) {
  /**
   * Goes through it.
   *
   * @param devices how many, the first ones of the back end
   * @param order {@link StartOrder#PLANNED} after an explicit presetup; QEMU's order without
   *     presetup
   */
  static WindowRound go(Arrivals arrivals, AnsweringPeer backEnd, int devices, StartOrder order) {
    List<VhostNet> nets = arrivals.connect(backEnd.sockets(devices));
    long nanos;
    int messages;
    long preemptions;
    try {
      if (order.sideBySide()) {
        arrivals.presetup(nets);
      }
      try (var window = new StartWindow(nets, order)) {
        long before = Preemptions.ofThisThread();
        arrivals.complete(nets);
        nanos = window.start();
        preemptions = Preemptions.ofThisThread() - before;
        window.check();
        messages = window.messages();
      }
    } finally {
      Arrivals.leave(nets);
    }
    return new WindowRound(nanos, messages, preemptions, backEnd.awaitClosed(devices));
  }

  /** Nanoseconds for each message. */
  long nanosPerMessage() {
    return nanos / messages;
  }
}
