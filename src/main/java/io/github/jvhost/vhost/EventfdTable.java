package io.github.jvhost.vhost;

import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The eventfds that each ring of a device has now. Look an eventfd up for each signal, because the
 * embedder may replace it while the ring runs.
 *
 * <p>Thread-safe; eventfds are replaced with the lock of the {@link VhostNet} held.
 */
final class EventfdTable {
  private final AtomicReferenceArray<RingEventfds> rings;

  /**
   * Makes the table of a new device.
   *
   * @param eventfds by vring index; copied
   */
  EventfdTable(List<RingEventfds> eventfds) {
    rings = new AtomicReferenceArray<>(eventfds.toArray(RingEventfds[]::new));
  }

  /** How many rings there are. */
  int size() {
    return rings.length();
  }

  /** The eventfds of a ring. */
  RingEventfds get(int ring) {
    return rings.get(ring);
  }

  /** Replaces the eventfds of a ring; returns the old ones. */
  RingEventfds replace(int ring, RingEventfds others) {
    return rings.getAndSet(ring, others);
  }
}
