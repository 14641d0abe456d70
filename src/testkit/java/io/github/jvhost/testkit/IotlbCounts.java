package io.github.jvhost.testkit;

import io.github.jvhost.protocol.Iotlb;
import java.util.List;

/**
 * How often a mock back end was told and asked for translations, over all its connections. The
 * frames that were lost because one was missing are {@link BackEndRecord#drops(FrameDrop)} of
 * {@link FrameDrop#RX_NOT_TRANSLATED}.
 *
 * @param updates how many translations it acknowledged
 * @param ignored how many of them no ring keeps: there was one that began at the same address, or
 *     there was no ring yet
 * @param invalidations how many invalidations it acknowledged
 * @param misses what it asked for, in order
 */
public record IotlbCounts(long updates, long ignored, long invalidations, List<Miss> misses) {
  /** Copies the list. */
  public IotlbCounts {
    misses = List.copyOf(misses);
  }

  /**
   * A translation that a ring asked for.
   *
   * @param ring its number, from 0
   * @param asked the message: the first byte that was missing, and the access
   */
  public record Miss(int ring, Iotlb asked) {}

  /**
   * {@return how often one ring asked}
   *
   * @param ring its number, from 0
   */
  public long misses(int ring) {
    return misses.stream().filter(miss -> miss.ring == ring).count();
  }
}
