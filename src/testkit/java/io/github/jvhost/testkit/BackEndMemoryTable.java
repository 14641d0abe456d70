package io.github.jvhost.testkit;

import io.github.jvhost.protocol.MemoryRegionPayload;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The memory regions that a back end received: addresses only, no mapping. Used by one thread. */
final class BackEndMemoryTable {
  private final List<MemoryRegionPayload> regions = new ArrayList<>();

  List<MemoryRegionPayload> regions() {
    return List.copyOf(regions);
  }

  boolean isEmpty() {
    return regions.isEmpty();
  }

  void replace(List<MemoryRegionPayload> table) {
    regions.clear();
    regions.addAll(table);
  }

  boolean add(MemoryRegionPayload region) {
    List<MemoryRegionPayload> next = new ArrayList<>(regions);
    next.add(region);
    return !overlap(next) && regions.add(region);
  }

  /** Removes the region with this place and size, wherever it lies in its file. */
  @Nullable MemoryRegionPayload remove(MemoryRegionPayload region) {
    for (MemoryRegionPayload known : regions) {
      if (known.guestAddress() == region.guestAddress()
          && known.userAddress() == region.userAddress()
          && known.size() == region.size()) {
        regions.remove(known);
        return known;
      }
    }
    return null;
  }

  /** Returns true if a range of user addresses is inside one region. */
  boolean holds(long userAddress, long length) {
    MemoryRegionPayload region = regionAt(userAddress);
    return region != null && userAddress - region.userAddress() <= region.size() - length;
  }

  /** Returns the region with a user address, or null if there is none. */
  @Nullable MemoryRegionPayload regionAt(long userAddress) {
    for (MemoryRegionPayload region : regions) {
      long offset = userAddress - region.userAddress();
      if (offset >= 0 && offset < region.size()) {
        return region;
      }
    }
    return null;
  }

  /** Returns the guest address of a user address, or 0 if it is in no region. */
  long guestAddressOf(long userAddress) {
    MemoryRegionPayload region = regionAt(userAddress);
    return region == null ? 0 : region.guestAddress() + (userAddress - region.userAddress());
  }

  static boolean overlap(List<MemoryRegionPayload> table) {
    for (int i = 0; i < table.size(); i++) {
      for (int j = 0; j < i; j++) {
        MemoryRegionPayload a = table.get(i);
        MemoryRegionPayload b = table.get(j);
        if (meet(a.guestAddress(), b.guestAddress(), a, b)
            || meet(a.userAddress(), b.userAddress(), a, b)) {
          return true;
        }
      }
    }
    return false;
  }

  private static boolean meet(long a, long b, MemoryRegionPayload ra, MemoryRegionPayload rb) {
    return a < b + rb.size() && b < a + ra.size();
  }
}
