package io.github.jvhost.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * All memory regions of a guest at one moment: what SET_MEM_TABLE tells, or ADD_MEM_REG and
 * REM_MEM_REG tell the differences of.
 *
 * <p>Immutable; regions are sorted by guest address, so that two tables with the same regions are
 * equal. Neither guest nor user addresses overlap, and no name is there twice.
 *
 * @param regions in any order when given, sorted by guest address afterwards
 */
public record MemoryTable(List<MemoryRegion> regions) {
  /** No memory at all. */
  public static final MemoryTable EMPTY = new MemoryTable(List.of());

  /** Sorts, and refuses regions that overlap or share a name. */
  public MemoryTable {
    List<MemoryRegion> sorted = new ArrayList<>(regions);
    sorted.sort(Comparator.comparingLong(MemoryRegion::guestAddress));
    for (int i = 0; i < sorted.size(); i++) {
      for (int j = 0; j < i; j++) {
        refuseConflict(sorted.get(j), sorted.get(i));
      }
    }
    regions = List.copyOf(sorted);
  }

  /**
   * The region in which {@code [gpa, +length)} lies.
   *
   * @throws GuestAddressException when it does not lie within one
   */
  public MemoryRegion regionOf(long gpa, long length) {
    for (MemoryRegion region : regions) {
      if (region.contains(gpa, length)) {
        return region;
      }
    }
    throw GuestAddressException.outside(gpa, length);
  }

  /** Whether {@code [gpa, +length)} lies within one region. */
  public boolean contains(long gpa, long length) {
    return regions.stream().anyMatch(region -> region.contains(gpa, length));
  }

  /**
   * The user address by which a back end is told of {@code [gpa, +length)}, as in SET_VRING_ADDR.
   *
   * @throws GuestAddressException when that does not lie within one region
   */
  public long userAddressOf(long gpa, long length) {
    MemoryRegion region = regionOf(gpa, length);
    return region.userAddress() + (gpa - region.guestAddress());
  }

  /**
   * The last guest address that belongs to a region (not the first one after it); -1 when there is
   * none.
   */
  public long highestAddress() {
    return regions.isEmpty() ? -1 : regions.getLast().end() - 1;
  }

  /** The sum of all regions' sizes, in bytes. */
  public long totalBytes() {
    return regions.stream().mapToLong(MemoryRegion::size).sum();
  }

  /** The region of that name, if there is one. */
  public Optional<MemoryRegion> region(String name) {
    return regions.stream().filter(region -> region.name().equals(name)).findFirst();
  }

  /** This table and one region more. */
  public MemoryTable with(MemoryRegion region) {
    List<MemoryRegion> more = new ArrayList<>(regions);
    more.add(region);
    return new MemoryTable(more);
  }

  /** This table without the region of that name; the same when there is none. */
  public MemoryTable without(String name) {
    return new MemoryTable(regions.stream().filter(region -> !region.name().equals(name)).toList());
  }

  private static void refuseConflict(MemoryRegion a, MemoryRegion b) {
    if (a.name().equals(b.name())) {
      throw new IllegalArgumentException("two memory regions are named " + a.name());
    }
    if (overlap(a.guestAddress(), a.size(), b.guestAddress(), b.size())) {
      throw new IllegalArgumentException("memory regions " + a + " and " + b + " overlap");
    }
    if (overlap(a.userAddress(), a.size(), b.userAddress(), b.size())) {
      throw new IllegalArgumentException(
          "memory regions " + a + " and " + b + " overlap in user addresses");
    }
  }

  private static boolean overlap(long a, long sizeOfA, long b, long sizeOfB) {
    return a < b + sizeOfB && b < a + sizeOfA;
  }
}
