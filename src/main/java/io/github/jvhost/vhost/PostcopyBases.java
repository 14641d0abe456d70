package io.github.jvhost.vhost;

import io.github.jvhost.protocol.MemoryRegionPayload;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Where a back end has mapped guest memory, for whoever serves its page faults. The userfaultfd
 * reports them in the back end's address space, and pages are put there in that space too.
 *
 * <pre>
 *   back end's addresses     0x7f00_0000_0000  [ region 0 ]     0x7f10_0000_0000  [ region 1 ]
 *                                   |                                  |
 *   guest addresses                 0          [ region 0 ]     0x1_0000_0000     [ region 1 ]
 * </pre>
 *
 * <p>Immutable.
 *
 * @param regions 1 to 8, none of which overlaps another in the back end's addresses; copied
 */
public record PostcopyBases(List<Base> regions) {

  /**
   * One region.
   *
   * @param guestAddress where the guest sees it
   * @param size in bytes
   * @param backEndAddress where the back end sees it
   */
  public record Base(long guestAddress, long size, long backEndAddress) {
    private boolean holds(long backEnd) {
      return Long.compareUnsigned(backEnd - backEndAddress, size) < 0;
    }
  }

  /** Copies. */
  public PostcopyBases {
    regions = List.copyOf(regions);
  }

  /**
   * Checks what a back end answered to a memory table.
   *
   * @throws IllegalArgumentException naming what cannot be
   */
  static PostcopyBases of(List<MemoryRegionPayload> told, List<MemoryRegionPayload> answered) {
    if (told.size() != answered.size()) {
      throw new IllegalArgumentException(
          "told %d regions, answered %d".formatted(told.size(), answered.size()));
    }
    List<Base> bases = new ArrayList<>(told.size());
    for (int i = 0; i < told.size(); i++) {
      MemoryRegionPayload mine = told.get(i);
      MemoryRegionPayload theirs = answered.get(i);
      if (mine.guestAddress() != theirs.guestAddress() || mine.size() != theirs.size()) {
        throw new IllegalArgumentException("told %s, answered %s".formatted(mine, theirs));
      }
      Base base = new Base(mine.guestAddress(), mine.size(), theirs.userAddress());
      for (Base other : bases) {
        if (other.holds(base.backEndAddress) || base.holds(other.backEndAddress)) {
          throw new IllegalArgumentException("%s and %s overlap".formatted(other, base));
        }
      }
      bases.add(base);
    }
    return new PostcopyBases(bases);
  }

  /**
   * Finds what the guest calls an address of the back end's, such as that of a fault.
   *
   * @param backEndAddress where the back end sees it, unsigned
   * @return where the guest sees it; empty: it is in no region
   */
  public OptionalLong guestAddress(long backEndAddress) {
    for (Base base : regions) {
      if (base.holds(backEndAddress)) {
        return OptionalLong.of(base.guestAddress + (backEndAddress - base.backEndAddress));
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Finds what the back end calls an address of the guest's, for the page that arrived there.
   *
   * @param guestAddress where the guest sees it, unsigned
   * @return where the back end sees it; empty: it is in no region
   */
  public OptionalLong backEndAddress(long guestAddress) {
    for (Base base : regions) {
      if (Long.compareUnsigned(guestAddress - base.guestAddress, base.size) < 0) {
        return OptionalLong.of(base.backEndAddress + (guestAddress - base.guestAddress));
      }
    }
    return OptionalLong.empty();
  }
}
