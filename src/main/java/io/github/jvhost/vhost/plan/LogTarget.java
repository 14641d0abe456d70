package io.github.jvhost.vhost.plan;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.sys.OwnedDescriptor;

/**
 * Where the back end marks the pages that it writes (SET_LOG_BASE).
 *
 * @param descriptor of the shared bitmap; its owner keeps it
 * @param size of the bitmap in bytes
 */
public record LogTarget(OwnedDescriptor descriptor, long size) {
  /** A byte has a bit for each of eight pages of 4096 bytes. */
  private static final long BYTES_PER_BYTE = 8 * 4096;

  /**
   * Checks that there is a bit for each page. A back end that has not checked that sets bits in
   * whatever lies behind the bitmap. The kernel does so in this process.
   *
   * @param table all memory that the back end may write
   * @throws VhostException (GIVE_UP) if the bitmap is too small
   */
  public void requireCovers(MemoryTable table) {
    long highest = table.highestAddress();
    if (highest >= 0 && highest / BYTES_PER_BYTE >= size) {
      throw new VhostException(
          "the dirty log has %d bytes, and ends before guest memory, whose last byte is at 0x%x; log to one that was made for all of the memory (DirtyLog.create) before the memory grows"
              .formatted(size, highest),
          Recovery.GIVE_UP);
    }
  }

  @Override
  public String toString() {
    return size + " bytes";
  }
}
