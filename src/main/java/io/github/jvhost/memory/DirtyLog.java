package io.github.jvhost.memory;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.Mapping;
import io.github.jvhost.sys.MemoryFile;
import io.github.jvhost.sys.OwnedDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The bitmap in which a back end notes the pages that it writes, shared with it as a file by
 * SET_LOG_BASE (vhost-user, "Migration"). The page is 4096 bytes on every host.
 *
 * <pre>
 *   byte   0             1             8
 *          | pages 0..7  | pages 8..15 | ... | pages 64..71 | ...
 *            page 0 = bit 0
 *
 *   size = 8 * (last address / 256 KiB + 1)
 * </pre>
 *
 * <p>Bytes in that order, lowest bit first, read as little-endian longs are the words of a {@link
 * DirtyBitmap}. The back end sets bits with an atomic OR, we take eight bytes at a time with an
 * atomic exchange: no bit is lost between the two.
 *
 * <p>After the last ring has stopped (the reply to its GET_VRING_BASE) it has to be collected once
 * more.
 *
 * <p>Thread-safe; owns its file and mapping.
 */
public final class DirtyLog implements AutoCloseable {
  private static final VarHandle WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private final MemoryFile file;
  private final Mapping mapping;
  private final MemorySegment bytes;

  private DirtyLog(MemoryFile file, Mapping mapping) {
    this.file = file;
    this.mapping = mapping;
    this.bytes = mapping.segment();
  }

  /**
   * An empty log, large enough for a table. When memory is added beyond its end, make a new one,
   * tell the back end, and collect the old one after the back end's reply.
   *
   * @param ledger where its descriptor is written down
   * @param table the memory that it has to cover
   */
  public static DirtyLog create(DescriptorLedger ledger, MemoryTable table) {
    MemoryFile file = MemoryFile.create(ledger, "dirty log", sizeFor(table));
    try {
      return new DirtyLog(file, file.map(0, file.size()));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /**
   * The file's descriptor, still owned by this object: to be sent with SET_LOG_BASE. The bitmap
   * begins at offset 0.
   */
  public OwnedDescriptor descriptor() {
    return file.descriptor();
  }

  /** The bitmap's size in bytes, as told with SET_LOG_BASE. */
  public long size() {
    return file.size();
  }

  /** Whether every page of {@code table} has its bit in this log. */
  public boolean covers(MemoryTable table) {
    return sizeFor(table) <= size();
  }

  /**
   * Moves all marks out of the log. Marks for addresses without memory are moved as well: the back
   * end may log used rings that lie outside the table, and it is not trusted anyway.
   *
   * @param target where they are added
   * @return how many pages were marked in the log, whether or not they were in {@code target}
   *     already
   * @throws IllegalArgumentException when {@code target} covers less than this log
   * @throws IllegalStateException when closed
   */
  public long collectInto(DirtyBitmap target) {
    long words = size() / Long.BYTES;
    target.requireRoomFor(words);
    long pages = 0;
    for (int w = 0; w < words; w++) {
      long at = (long) w * Long.BYTES;
      // The look first: an exchange would write every line of a log that is nearly all zero, under
      // the back end's hands.
      if ((long) WORD.getVolatile(bytes, at) == 0) {
        continue;
      }
      long bits = (long) WORD.getAndSet(bytes, at, 0L);
      target.markWord(w, bits);
      pages += Long.bitCount(bits);
    }
    return pages;
  }

  /** Unmaps the log and closes its file; the back end keeps its own. A second time does nothing. */
  @Override
  public void close() {
    mapping.close();
    file.close();
  }

  private static long sizeFor(MemoryTable table) {
    return Long.BYTES * (table.highestAddress() / DirtyBitmap.BYTES_PER_WORD + 1);
  }
}
