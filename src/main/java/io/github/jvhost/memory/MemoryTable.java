package io.github.jvhost.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * All memory regions of a guest at one moment. SET_MEM_TABLE sends all of them; ADD_MEM_REG and
 * REM_MEM_REG send the differences.
 *
 * <p>Immutable, and so thread-safe. Regions are sorted by guest address, so that two tables with
 * the same regions are equal. Neither guest nor user addresses overlap, and each name is unique. An
 * address is looked up in logarithmic time.
 *
 * @param regions at most {@value #MAX_REGIONS}; in any order when given, sorted by guest address
 *     afterwards
 */
public record MemoryTable(List<MemoryRegion> regions) {
  /**
   * The most regions of a table. A back end may accept fewer: 8, unless it has more slots
   * (GET_MAX_MEM_SLOTS).
   */
  public static final int MAX_REGIONS = 512;

  /** No memory at all. */
  public static final MemoryTable EMPTY = new MemoryTable(List.of());

  /** Sorts the regions. Refuses regions that overlap or share a name, and too many regions. */
  public MemoryTable {
    if (regions.size() > MAX_REGIONS) {
      throw new IllegalArgumentException(
          regions.size() + " memory regions: at most " + MAX_REGIONS);
    }
    Set<String> names = new HashSet<>();
    for (MemoryRegion region : regions) {
      if (!names.add(region.name())) {
        throw new IllegalArgumentException("two memory regions are named " + region.name());
      }
    }
    List<MemoryRegion> sorted = new ArrayList<>(regions);
    // If any two regions overlap, then two neighbours of the sorted list overlap.
    sorted.sort(Comparator.comparingLong(MemoryRegion::userAddress));
    for (int i = 1; i < sorted.size(); i++) {
      MemoryRegion a = sorted.get(i - 1);
      MemoryRegion b = sorted.get(i);
      if (b.userAddress() - a.userAddress() < a.size()) {
        throw overlap(a, b, overlapInGuest(a, b) ? "" : " in user addresses");
      }
    }
    sorted.sort(Comparator.comparingLong(MemoryRegion::guestAddress));
    for (int i = 1; i < sorted.size(); i++) {
      if (overlapInGuest(sorted.get(i - 1), sorted.get(i))) {
        throw overlap(sorted.get(i - 1), sorted.get(i), "");
      }
    }
    regions = List.copyOf(sorted);
  }

  /**
   * {@return the region in which {@code [gpa, +length)} lies}
   *
   * @param gpa guest address of the first byte
   * @param length in bytes, not negative
   * @throws GuestAddressException when it is not within one region
   */
  public MemoryRegion regionOf(long gpa, long length) {
    int index = indexOf(gpa, length);
    if (index < 0) {
      throw GuestAddressException.outside(gpa, length);
    }
    return regions.get(index);
  }

  /**
   * {@return whether {@code [gpa, +length)} lies within one region}
   *
   * @param gpa guest address of the first byte
   * @param length in bytes; false when negative
   */
  public boolean contains(long gpa, long length) {
    return indexOf(gpa, length) >= 0;
  }

  /** The index of the region in which {@code [gpa, +length)} lies; -1 when there is none. */
  private int indexOf(long gpa, long length) {
    int low = 0;
    int high = regions.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (regions.get(middle).guestAddress() <= gpa) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    // high is now the index of the last region that begins at or below gpa.
    return high >= 0 && regions.get(high).contains(gpa, length) ? high : -1;
  }

  /**
   * {@return the user address of {@code [gpa, +length)}, as in SET_VRING_ADDR}
   *
   * @param gpa guest address of the first byte
   * @param length in bytes, not negative
   * @throws GuestAddressException when it is not within one region
   */
  public long userAddressOf(long gpa, long length) {
    MemoryRegion region = regionOf(gpa, length);
    return region.userAddress() + (gpa - region.guestAddress());
  }

  /** {@return the last guest address within a region, inclusive; -1 when there is no region} */
  public long highestAddress() {
    return regions.isEmpty() ? -1 : regions.getLast().end() - 1;
  }

  /** {@return the sum of all regions' sizes, in bytes} */
  public long totalBytes() {
    return regions.stream().mapToLong(MemoryRegion::size).sum();
  }

  /**
   * {@return the region of that name; empty when there is none}
   *
   * @param name as {@link MemoryRegion#name} has it
   */
  public Optional<MemoryRegion> region(String name) {
    return regions.stream().filter(region -> region.name().equals(name)).findFirst();
  }

  /**
   * {@return this table with one more region}
   *
   * @param region the added region; it overlaps no other, and its name is not in the table yet
   */
  public MemoryTable with(MemoryRegion region) {
    List<MemoryRegion> more = new ArrayList<>(regions);
    more.add(region);
    return new MemoryTable(more);
  }

  /**
   * {@return this table without the region of that name; an equal table when there is none}
   *
   * @param name of the region that is left out
   */
  public MemoryTable without(String name) {
    return new MemoryTable(regions.stream().filter(region -> !region.name().equals(name)).toList());
  }

  private static boolean overlapInGuest(MemoryRegion a, MemoryRegion b) {
    return a.guestAddress() < b.end() && b.guestAddress() < a.end();
  }

  private static IllegalArgumentException overlap(MemoryRegion a, MemoryRegion b, String how) {
    boolean inOrder = a.guestAddress() <= b.guestAddress();
    return new IllegalArgumentException(
        "memory regions " + (inOrder ? a : b) + " and " + (inOrder ? b : a) + " overlap" + how);
  }
}
