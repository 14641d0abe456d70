package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.Translation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the guest has mapped now, in pieces that a back end can be told: each lies in one region of
 * guest memory.
 *
 * <pre>
 *   what the IOMMU says    |---------------- one mapping ----------------|
 *   guest memory              |-- region 1 --|      |-- region 2 --|
 *   pieces                    |--------------|      |--------------|
 * </pre>
 *
 * <p>The last page of all addresses counts as not mapped. The end of an entry there is 0 in 64
 * bits, and DPDK never removes such an entry.
 *
 * @param memory under the addresses of the device
 */
record MappedMemory(DeviceMemory memory) {
  /** The smallest piece of memory that an IOMMU maps. */
  private static final long PAGE = 4096;

  /** The last address that a back end is told. */
  static final long LAST = -PAGE - 1;

  /** Whether the guest permits an access to an address, and there is memory behind it. */
  boolean permits(long iova, Access access) {
    return largestAt(iova, access).isPresent();
  }

  /** The largest piece around an address; empty if there is none for such an access. */
  Optional<Translation> largestAt(long iova, Access access) {
    return memory
        .iommu()
        .translate(iova, access)
        .filter(t -> t.contains(iova) && t.access().permits(access))
        .flatMap(t -> t.within(0, LAST))
        .filter(t -> t.contains(iova))
        .flatMap(t -> withinRegion(t, iova));
  }

  /** The part of a translation that lies in the same region as an address of it. */
  private Optional<Translation> withinRegion(Translation whole, long iova) {
    long at = whole.guestAddress() + (iova - whole.iova());
    MemoryRegion region;
    try {
      region = memory.guest().table().regionOf(at, 1);
    } catch (GuestAddressException e) {
      return Optional.empty();
    }
    long before = Math.min(iova - whole.iova(), at - region.guestAddress());
    long behind = Math.min(whole.last() - iova, region.end() - 1 - at);
    return whole.within(iova - before, iova + behind);
  }

  /**
   * Whether the guest has mapped all of a translation so, in one piece or in several, and lets the
   * device write there if and only if the translation does. In a stop window this is asked of each.
   */
  boolean has(Translation one) {
    Access access = one.access().permits(Access.WRITE) ? Access.WRITE : Access.READ;
    long at = one.iova();
    for (int looks = 0; looks < DeviceTranslations.MOST; looks++) {
      Translation now = memory.iommu().translate(at, access).orElse(null);
      if (now == null
          || !now.contains(at)
          || now.guestAddress() - one.guestAddress() != now.iova() - one.iova()
          || (access == Access.READ && now.access().permits(Access.WRITE))) {
        return false;
      }
      if (Long.compareUnsigned(now.last(), one.last()) >= 0) {
        return memory.guest().table().contains(one.guestAddress(), one.length());
      }
      at = now.last() + 1;
    }
    return false; // a hint from elsewhere, in too many pieces to look at all of them
  }

  /**
   * The pieces of a range, in its order, whatever the guest permits there. Somebody else has chosen
   * the range, so not more of it is looked at than can be told.
   */
  List<Translation> pieces(long first, long last) {
    List<Translation> found = new ArrayList<>(1);
    long at = first;
    for (int looks = 0; looks < DeviceTranslations.MOST; looks++) {
      long from = at;
      Optional<Translation> piece =
          largestAt(from, Access.WRITE)
              .or(() -> largestAt(from, Access.READ))
              .flatMap(t -> t.within(from, last));
      piece.ifPresent(found::add);
      long end = piece.map(Translation::last).orElse(from | (PAGE - 1));
      if (Long.compareUnsigned(end, last) >= 0) {
        break;
      }
      at = end + 1;
    }
    return found;
  }
}
