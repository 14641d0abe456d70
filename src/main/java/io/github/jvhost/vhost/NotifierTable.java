package io.github.jvhost.vhost;

import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The eventfds that each ring of a device has now. Look an eventfd up for each signal, because the
 * embedder may replace it while the ring runs.
 *
 * <p>Thread-safe; eventfds are replaced with the lock of the {@link VhostNet} held.
 */
final class NotifierTable {
  private final AtomicReferenceArray<RingNotifiers> rings;

  /**
   * Makes the table of a new device.
   *
   * @param notifiers by vring index; copied
   */
  NotifierTable(List<RingNotifiers> notifiers) {
    rings = new AtomicReferenceArray<>(notifiers.toArray(RingNotifiers[]::new));
  }

  /** How many rings there are. */
  int size() {
    return rings.length();
  }

  /** The eventfds of a ring. */
  RingNotifiers get(int ring) {
    return rings.get(ring);
  }

  /** Replaces the eventfds of a ring; returns the old ones. */
  RingNotifiers replace(int ring, RingNotifiers others) {
    return rings.getAndSet(ring, others);
  }
}
