package io.github.jvhost.vhost.kernel;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Guest memory as the kernel finds it: at addresses of this process. Each region is mapped once
 * more, so that it stays there as long as the kernel may use it, whatever the guest memory's owner
 * does. The pages are the same.
 */
final class MappedMemory implements AutoCloseable {
  private final Map<MemoryRegion, Mapping> regions = new HashMap<>();

  /** Returns the address of a region's first byte, and maps it if it is not mapped yet. */
  long map(MemoryRegion region) {
    return mapping(region).address();
  }

  /** Returns the mapping of a region, which is made if it is not there yet. */
  Mapping mapping(MemoryRegion region) {
    return regions.computeIfAbsent(region, r -> map(r.file(), r.fileOffset(), r.size()));
  }

  /** Maps a part of a file that somebody else keeps. The caller closes the mapping. */
  static Mapping map(OwnedDescriptor file, long offset, long size) {
    try (MemoryFile own = MemoryFile.adopt(file.duplicate())) {
      return own.map(offset, size);
    }
  }

  /**
   * Returns where a guest address is in this process.
   *
   * @param table whose regions are mapped
   */
  long addressOf(MemoryTable table, long guestAddress) {
    MemoryRegion region = table.regionOf(guestAddress, 1);
    return map(region) + (guestAddress - region.guestAddress());
  }

  /** Unmaps what a table does not have. The kernel does not use it any more. */
  void keepOnly(MemoryTable table) {
    List<MemoryRegion> gone = new ArrayList<>(regions.keySet());
    gone.removeAll(table.regions());
    gone.forEach(this::unmap);
  }

  /** Unmaps a region that the kernel does not use any more. */
  void unmap(MemoryRegion region) {
    Mapping mapping = regions.remove(region);
    if (mapping != null) {
      mapping.close();
    }
  }

  @Override
  public void close() {
    keepOnly(MemoryTable.EMPTY);
  }
}
