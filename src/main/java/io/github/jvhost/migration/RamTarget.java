package io.github.jvhost.migration;

import io.github.jvhost.memory.MemoryTable;
import java.nio.ByteBuffer;

/**
 * Guest memory as the destination's embedder receives it. The mapping stays where it is from
 * presetup on and is written in place: a back end may have pinned it.
 *
 * <p>Called on the thread that reads the migration, one call after the other.
 */
public interface RamTarget {
  /** {@return the regions, to be compared with the source's} */
  MemoryTable table();

  /**
   * Gives the place for pages. Their address comes from the other side: check that it is guest
   * memory.
   *
   * @param guestAddress of the first byte
   * @param length in bytes
   * @return the memory itself, with just these bytes between position and limit
   * @throws io.github.jvhost.VhostException if there is no such memory
   */
  ByteBuffer writable(long guestAddress, int length);

  /**
   * The source has got another region.
   *
   * @param name of the region, which is not yet in {@link #table}
   * @param guestAddress of its first byte, as the source has it
   * @param size in bytes
   * @throws io.github.jvhost.VhostException if there cannot be such a region here
   */
  void addRegion(String name, long guestAddress, long size);
}
