package io.github.jvhost.testkit;

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
 * @param holdsBursts whether the frames of a receive burst are copied late: only when a translation
 *     is told, also into a page whose translation was invalidated meanwhile. A message that takes
 *     the ring's lock has the frames copied before it is answered. After a missing translation no
 *     frame is taken until then. In DPDK this lasts microseconds; held up, a test need not hurry
 */
public record IotlbModel(int entries, boolean joinsAdjoining, boolean holdsBursts) {
  /** As DPDK 22.11 does it, with bursts that are not held up. */
  public static final IotlbModel DPDK = new IotlbModel(2048, true, false);

  /** Checks the ranges. */
  public IotlbModel {
    if (entries < 1) {
      throw new IllegalArgumentException("an IOTLB of " + entries + " entries");
    }
  }

  /**
   * {@return the same with room for another number of translations}
   *
   * @param count for each ring, 1 or more
   */
  public IotlbModel withEntries(int count) {
    return new IotlbModel(count, joinsAdjoining, holdsBursts);
  }

  /** {@return the same, but each translation's memory is accessed where it is} */
  public IotlbModel withoutJoining() {
    return new IotlbModel(entries, false, holdsBursts);
  }

  /** {@return the same with bursts that are held up} */
  public IotlbModel withHeldBursts() {
    return new IotlbModel(entries, joinsAdjoining, true);
  }
}
