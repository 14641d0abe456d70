package io.github.jvhost.vhost;

import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Which eventfds each ring of a device has now. Whoever signals one looks it up each time, because
 * the embedder may give a ring others while it runs.
 *
 * <p>Thread-safe; they are replaced with the lock of the {@link VhostNet} held.
 */
final class NotifierTable {
  private final AtomicReferenceArray<RingNotifiers> rings;

  /**
   * For a new device.
   *
   * @param notifiers by vring index; copied
   */
  NotifierTable(List<RingNotifiers> notifiers) {
    rings = new AtomicReferenceArray<>(notifiers.toArray(RingNotifiers[]::new));
  }

  /** How many rings have some. */
  int size() {
    return rings.length();
  }

  /** Those of a ring. */
  RingNotifiers get(int ring) {
    return rings.get(ring);
  }

  /** Others for a ring; returns those before. */
  RingNotifiers replace(int ring, RingNotifiers others) {
    return rings.getAndSet(ring, others);
  }
}
