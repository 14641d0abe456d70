package io.github.jvhost.vhost;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kicks that are sent as messages (INBAND_NOTIFICATIONS). A message has to wait until no transition
 * uses the connection, but a vCPU that kicks must not wait. So a thread sends the kicks that vCPUs
 * leave here, and ends when none is left. Several waiting kicks of one ring become one message.
 *
 * <p>Thread-safe.
 */
final class InBandKicks {
  private static final Logger log = LoggerFactory.getLogger(InBandKicks.class);

  private final String device;
  private final IntConsumer send;

  /** 1 where a ring was kicked and no message was sent since. */
  private final AtomicIntegerArray kicked;

  /** Whether a thread is running that will see every kick from now on. */
  private final AtomicBoolean sending = new AtomicBoolean();

  /**
   * Makes the kicks of a device.
   *
   * @param rings how many a back end serves
   * @param send sends the message for a ring; called on a thread of this object, and may wait
   */
  InBandKicks(String device, int rings, IntConsumer send) {
    this.device = device;
    this.send = send;
    this.kicked = new AtomicIntegerArray(rings);
  }

  /** Leaves a kick of a ring to the thread; never waits. */
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
      // A kick that came meanwhile did not start a thread.
    } while (anyKicked() && sending.compareAndSet(false, true));
  }

  private void sendOne(int ring) {
    try {
      send.accept(ring);
    } catch (Throwable e) { // also an Error: it would end the thread that sends later kicks
      // Like a kick on an eventfd that is not read any more: the guest does not notice it.
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
