package io.github.jvhost.memory;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The regions of a guest memory at one moment, with their mappings, sorted by guest address.
 * Immutable: a change makes a new object, so a reader sees one consistent layout.
 */
final class MappedRegions {
  static final MappedRegions EMPTY =
      new MappedRegions(MemoryTable.EMPTY, new BackedRegion[0], true);

  /** The regions of a closed memory. */
  static final MappedRegions CLOSED =
      new MappedRegions(MemoryTable.EMPTY, new BackedRegion[0], false);

  private final MemoryTable table;
  private final BackedRegion[] backed;
  // Addresses apart from the regions: the search then reads one array, not an object in each step.
  private final long[] begins;
  private final boolean open;

  private MappedRegions(MemoryTable table, BackedRegion[] backed, boolean open) {
    this.table = table;
    this.backed = backed;
    this.open = open;
    this.begins = Arrays.stream(backed).mapToLong(b -> b.region().guestAddress()).toArray();
  }

  MemoryTable table() {
    return table;
  }

  boolean open() {
    return open;
  }

  /** Throws when the memory is closed. */
  void requireOpen() {
    if (!open) {
      throw new IllegalStateException("this guest memory is closed");
    }
  }

  List<BackedRegion> backed() {
    return List.of(backed);
  }

  /** The region that contains {@code [gpa, +length)}. */
  BackedRegion find(long gpa, long length) {
    int low = 0;
    int high = begins.length - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (begins[middle] <= gpa) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    // high is now the index of the last region that begins at or below gpa.
    if (high >= 0 && backed[high].region().contains(gpa, length)) {
      return backed[high];
    }
    requireOpen();
    throw GuestAddressException.outside(gpa, length);
  }

  /** The backing file for this descriptor, if a region already uses it. */
  Optional<BackingFile> fileOf(OwnedDescriptor descriptor) {
    return Arrays.stream(backed)
        .map(BackedRegion::file)
        .filter(file -> file.descriptor().equals(descriptor))
        .findFirst();
  }

  /** The region with that name. */
  BackedRegion named(String name) {
    return Arrays.stream(backed)
        .filter(b -> b.region().name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no memory region " + name));
  }

  /** This layout with one more region. */
  MappedRegions with(BackedRegion added) {
    MemoryTable larger = table.with(added.region());
    for (BackedRegion b : backed) {
      refuseSharedBytes(b.region(), added.region());
    }
    return new MappedRegions(
        larger,
        Stream.concat(Arrays.stream(backed), Stream.of(added))
            .sorted(Comparator.comparingLong(b -> b.region().guestAddress()))
            .toArray(BackedRegion[]::new),
        true);
  }

  /** This layout without one of its regions. */
  MappedRegions without(BackedRegion removed) {
    return new MappedRegions(
        table.without(removed.region().name()),
        Arrays.stream(backed).filter(b -> !b.equals(removed)).toArray(BackedRegion[]::new),
        true);
  }

  /**
   * Refuses two regions with common bytes. A page with two guest addresses would be marked as
   * written at only one of them.
   */
  private static void refuseSharedBytes(MemoryRegion a, MemoryRegion b) {
    if (a.file().equals(b.file())
        && a.fileOffset() - b.fileOffset() < b.size()
        && b.fileOffset() - a.fileOffset() < a.size()) {
      throw new IllegalArgumentException(
          "memory regions " + a + " and " + b + " share bytes of " + a.file());
    }
  }
}
