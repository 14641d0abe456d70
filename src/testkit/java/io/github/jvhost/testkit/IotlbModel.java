package io.github.jvhost.testkit;

import java.time.Duration;

/**
 * How a mock back end keeps the translations of a device behind an IOMMU. Each ring has its own
 * (DPDK 22.11).
 *
 * @param entries how many translations and unanswered misses a ring keeps together, 1 or more. When
 *     there is no room for another one, the oldest goes
 * @param joinsAdjoining whether a look-up takes adjoining I/O virtual addresses for adjoining
 *     memory, as DPDK does. If the memory of two such translations is apart, bytes behind the first
 *     one are read and written that the guest has not mapped. If false, each piece is accessed
 *     where it is, and a ring of which a part lies in several pieces does not start
 * @param burstPause how long a receive burst is held up that asks for a missing translation; zero
 *     or more. Its frames before the missing one are copied when it goes on, also into a page whose
 *     translation was invalidated meanwhile. A message that takes the ring's lock ends the burst
 *     before it is answered. In DPDK this lasts microseconds
 */
public record IotlbModel(int entries, boolean joinsAdjoining, Duration burstPause) {
  /** As DPDK 22.11 does it, with bursts that are never held up. */
  public static final IotlbModel DPDK = new IotlbModel(2048, true, Duration.ZERO);

  /** Checks the ranges. */
  public IotlbModel {
    if (entries < 1 || burstPause.isNegative()) {
      throw new IllegalArgumentException(
          "an IOTLB of " + entries + " entries, with a pause of " + burstPause);
    }
  }

  /**
   * {@return the same with room for another number of translations}
   *
   * @param count for each ring, 1 or more
   */
  public IotlbModel withEntries(int count) {
    return new IotlbModel(count, joinsAdjoining, burstPause);
  }

  /** {@return the same, but each translation's memory is accessed where it is} */
  public IotlbModel withoutJoining() {
    return new IotlbModel(entries, false, burstPause);
  }

  /**
   * {@return the same with bursts that are held up}
   *
   * @param pause zero or more
   */
  public IotlbModel withBurstPause(Duration pause) {
    return new IotlbModel(entries, joinsAdjoining, pause);
  }
}
