package io.github.jvhost.memory;

import io.github.jvhost.sys.io.Mapping;
import java.lang.foreign.MemorySegment;

/**
 * A region with its mapping in this process, which it owns, and its share of a file. It is opened
 * and closed under the lock of its {@link GuestMemory}. Any thread reads it.
 */
record BackedRegion(MemoryRegion region, BackingFile file, Mapping mapping, MemorySegment bytes)
    implements AutoCloseable {

  /**
   * Maps a part of a file as a region. If that fails and no other region uses the file, the file is
   * closed.
   */
  static BackedRegion map(BackingFile file, String name, long gpa, long size, long offset) {
    try {
      MemoryRegion region =
          new MemoryRegion(
              name, gpa, size, gpa + GuestMemory.USER_ADDRESS_BASE, offset, file.descriptor());
      Mapping mapping = file.map(region);
      return new BackedRegion(region, file, mapping, mapping.segment());
    } catch (RuntimeException e) {
      file.closeIfUnused();
      throw e;
    }
  }

  @Override
  public void close() {
    try {
      mapping.close();
    } finally {
      file.release();
    }
  }
}
