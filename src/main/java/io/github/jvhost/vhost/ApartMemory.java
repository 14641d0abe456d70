package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Translations that adjoin in I/O virtual addresses, and not in memory. DPDK takes adjoining
 * addresses for adjoining memory. Nothing that is sent can change this, so it is said, once each.
 *
 * <p>Not thread-safe.
 */
final class ApartMemory {
  private static final Logger log = LoggerFactory.getLogger(ApartMemory.class);

  private final String name;
  private boolean warned;

  /** The rings of which it was said that their memory is apart. */
  private final BitSet rings = new BitSet();

  /**
   * Of a device.
   *
   * @param name of the device, for messages
   */
  ApartMemory(String name) {
    this.name = name;
  }

  /**
   * Those that adjoin the one before in I/O virtual addresses, but not in memory. A back end maps
   * each region of guest memory anywhere, so two regions are apart.
   */
  static List<Translation> in(List<Translation> all, MemoryTable table) {
    List<Translation> apart = new ArrayList<>(0);
    for (int i = 1; i < all.size(); i++) {
      Translation before = all.get(i - 1);
      Translation next = all.get(i);
      if (before.adjoins(next)
          && !(before.continuesIn(next)
              && table.contains(before.guestAddress(), before.length() + next.length()))) {
        apart.add(next);
      }
    }
    return apart;
  }

  /** Says that a back end may go wrong with some of these. */
  void warnOf(List<Translation> all, MemoryTable table) {
    List<Translation> apart = warned ? List.of() : in(all, table);
    if (!apart.isEmpty()) {
      warned = true;
      log.warn(
          "{}: the I/O virtual addresses up to 0x{} and from there on lead to memory that is"
              + " apart. A DPDK back end takes them for one piece: a buffer or ring across this"
              + " address reads or writes memory that the guest has not mapped. See"
              + " docs/iommu.md",
          name,
          Long.toHexString(apart.getFirst().iova()));
    }
  }

  /**
   * Whether an area of a ring is one piece of memory; otherwise this says that it is not served.
   *
   * @param pieces of the area, which cover all of it
   */
  boolean isWhole(int ring, List<Translation> pieces, MemoryTable table) {
    List<Translation> apart = in(pieces, table);
    if (!apart.isEmpty() && !rings.get(ring)) {
      rings.set(ring);
      log.warn(
          "{}: ring {} is not served: its memory is apart at I/O virtual address 0x{}, and this"
              + " back end takes adjoining addresses for adjoining memory. A smaller ring lies on"
              + " one page",
          name,
          ring,
          Long.toHexString(apart.getFirst().iova()));
    }
    return apart.isEmpty();
  }
}
