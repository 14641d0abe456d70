package io.github.jvhost.vhost;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The calls of an embedder's listeners that wait until the lock of their device is released. They
 * are made in the order in which the events happened, one at a time.
 *
 * <pre>
 *   with the lock held      add: the event has happened
 *   after the release       makeAll: the same thread calls the listeners
 * </pre>
 *
 * <p>A thread that finds another thread making calls leaves its own to that thread and goes on. It
 * must not wait for it: the other thread may be in a listener that waits for a lock of the VMM that
 * this thread holds. A listener that changes its device adds calls, which are made when it has
 * returned.
 *
 * <p>Thread-safe.
 */
final class ListenerCalls {
  private static final Logger log = LoggerFactory.getLogger(ListenerCalls.class);

  private final String device;
  private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

  /** Whether a thread makes calls, which will also make those that are added meanwhile. */
  private final AtomicBoolean making = new AtomicBoolean();

  ListenerCalls(String device) {
    this.device = device;
  }

  /** Adds a call behind those that wait. */
  void add(Runnable call) {
    waiting.add(call);
  }

  /** Makes all calls that wait, unless another thread does. Called without the device's lock. */
  void makeAll() {
    // Asks again after the flag is cleared: a call that was added meanwhile found it set.
    while (!waiting.isEmpty() && making.compareAndSet(false, true)) {
      try {
        for (Runnable call = waiting.poll(); call != null; call = waiting.poll()) {
          make(call);
        }
      } finally {
        making.set(false);
      }
    }
  }

  /** Makes one call. If the listener throws, the device and the other listeners go on. */
  private void make(Runnable call) {
    try {
      call.run();
    } catch (Throwable e) { // also an Error
      log.warn("{}: one of its listeners failed", device, e);
    }
  }
}
