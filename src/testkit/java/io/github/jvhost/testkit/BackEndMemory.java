package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory as a back end has mapped it. Each descriptor is closed as soon as it is mapped. Used
 * by one thread.
 *
 * <pre>
 *   file    |......|xxxxxxxxxxxx|...      mapped from the page that holds "mmap offset"
 *                  ^ mmap offset
 *   guest          guest address, size    found by either address, never across two regions
 *   user           user address
 * </pre>
 */
final class BackEndMemory implements AutoCloseable {
  private static final long PAGE = Mapping.PAGE;

  private final List<Region> regions = new ArrayList<>();

  private record Region(MemoryRegionPayload place, Mapping mapping, MemorySegment bytes) {}

  /**
   * Maps a table.
   *
   * @param places the regions
   * @param files one descriptor per region, in the same order; this method owns them, also when it
   *     fails
   * @throws VhostException when a region is not inside its file, or the system refuses
   */
  static BackEndMemory map(List<MemoryRegionPayload> places, List<OwnedDescriptor> files) {
    BackEndMemory memory = new BackEndMemory();
    try {
      for (int i = 0; i < places.size(); i++) {
        memory.add(places.get(i), files.get(i));
      }
      return memory;
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    } finally {
      files.forEach(OwnedDescriptor::close);
    }
  }

  /** Maps one more region. Closes the descriptor, also when it fails. */
  void add(MemoryRegionPayload place, OwnedDescriptor file) {
    try (MemoryFile opened = MemoryFile.adopt(file)) {
      long start = place.mmapOffset() & -PAGE;
      long before = place.mmapOffset() - start;
      if (place.mmapOffset() < 0
          || place.size() < 0
          || place.size() > opened.size() - place.mmapOffset()) {
        throw new VhostException(
            "mapping " + place + ": its file has " + opened.size() + " bytes", Recovery.GIVE_UP);
      }
      Mapping mapping = opened.map(start, before + place.size());
      regions.add(new Region(place, mapping, mapping.segment().asSlice(before, place.size())));
    }
  }

  /** Unmaps the region that was mapped last at this place, if there is one. */
  void remove(MemoryRegionPayload place) {
    for (int i = regions.size() - 1; i >= 0; i--) {
      if (regions.get(i).place.equals(place)) {
        regions.remove(i).mapping.close();
        return;
      }
    }
  }

  /** Returns the bytes at a guest address, or null if they are not in one region. */
  @Nullable MemorySegment atGuest(long address, long length) {
    for (Region region : regions) {
      long offset = address - region.place.guestAddress();
      if (offset >= 0 && length >= 0 && offset <= region.place.size() - length) {
        return region.bytes.asSlice(offset, length);
      }
    }
    return null;
  }

  /** Returns the bytes at a front end's user address, or null if they are not in one region. */
  @Nullable MemorySegment atUser(long address, long length) {
    for (Region region : regions) {
      long offset = address - region.place.userAddress();
      if (offset >= 0 && length >= 0 && offset <= region.place.size() - length) {
        return region.bytes.asSlice(offset, length);
      }
    }
    return null;
  }

  @Override
  public void close() {
    regions.forEach(region -> region.mapping.close());
    regions.clear();
  }
}
