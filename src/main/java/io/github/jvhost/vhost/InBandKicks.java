package io.github.jvhost.vhost;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kicks that are messages (INBAND_NOTIFICATIONS). A message has to wait until no transition uses
 * the connection, and a vCPU that kicks must not wait: a thread sends what vCPUs leave here, and
 * ends when nothing is left. Kicks of one ring that wait together become one message.
 *
 * <p>Thread-safe.
 */
final class InBandKicks {
  private static final Logger log = LoggerFactory.getLogger(InBandKicks.class);

  private final String device;
  private final IntConsumer send;

  /** 1 where a ring was kicked and no message was sent since. */
  private final AtomicIntegerArray kicked;

  /** Whether a thread is there that will look at every kick from now on. */
  private final AtomicBoolean sending = new AtomicBoolean();

  /**
   * For a device.
   *
   * @param rings how many a back end serves
   * @param send sends the message for a ring; called on a thread of this object, and may wait
   */
  InBandKicks(String device, int rings, IntConsumer send) {
    this.device = device;
    this.send = send;
    this.kicked = new AtomicIntegerArray(rings);
  }

  /** Has a ring kicked; never waits. */
  void kick(int ring) {
    kicked.set(ring, 1);
    if (sending.compareAndSet(false, true)) {
      Thread.ofPlatform().daemon().name("jvhost-kicks " + device).start(this::sendAll);
    }
  }

  private void sendAll() {
    do {
      for (int ring = 0; ring < kicked.length(); ring++) {
        if (kicked.getAndSet(ring, 0) != 0) {
          sendOne(ring);
        }
      }
      sending.set(false);
      // A kick that came meanwhile has started no thread.
    } while (anyKicked() && sending.compareAndSet(false, true));
  }

  private void sendOne(int ring) {
    try {
      send.accept(ring);
    } catch (Throwable e) { // an Error, too: it would end the thread that later kicks wait for
      // As with an eventfd that nobody reads any more: the guest notices nothing.
      log.debug("{}: kick of ring {}: {}", device, ring, e.getMessage());
    }
  }

  private boolean anyKicked() {
    for (int ring = 0; ring < kicked.length(); ring++) {
      if (kicked.get(ring) != 0) {
        return true;
      }
    }
    return false;
  }
}
