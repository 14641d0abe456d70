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
 * <p>In what order a log and a back end are told apart; each arrow waits for the back end's answer:
 *
 * <pre>
 *   start    create -> SET_LOG_BASE -> SET_FEATURES +LOG_ALL -> SET_VRING_ADDR with log, each ring
 *   collect  collectInto, as often as wanted, while the back end goes on
 *   grow     resizedFor -> SET_LOG_BASE -> memory table                 old one: retireInto
 *   shrink   memory table -> resizedFor -> SET_LOG_BASE                 old one: retireInto
 *   stop     GET_VRING_BASE of the last ring, or SET_FEATURES -LOG_ALL  -> retireInto
 * </pre>
 *
 * <p>What a back end marked in the old log before it answered is still there: that is why the old
 * one is retired after the answer, never before.
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
   * {@return an empty log, large enough for a table; the caller closes it} When memory is added
   * beyond its end, make a new one, tell the back end, and collect the old one after the back end's
   * reply.
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
   * {@return the file's descriptor, still owned by this object: to be sent with SET_LOG_BASE} The
   * bitmap begins at offset 0.
   */
  public OwnedDescriptor descriptor() {
    return file.descriptor();
  }

  /** {@return the bitmap's size in bytes, as told with SET_LOG_BASE} */
  public long size() {
    return file.size();
  }

  /**
   * {@return the log for another table: this one when it has the size that the table needs,
   * otherwise a new and empty one with the same ledger, which the caller owns like this one} This
   * one stays open: once the back end has acknowledged the new one it is to be {@linkplain
   * #retireInto retired}.
   *
   * @param table the memory that the result has to cover
   * @throws IllegalStateException when closed
   */
  public DirtyLog resizedFor(MemoryTable table) {
    if (!file.descriptor().isOpen()) {
      throw new IllegalStateException("the dirty log is closed");
    }
    return sizeFor(table) == size() ? this : create(file.descriptor().ledger(), table);
  }

  /**
   * {@return whether every page of {@code table} has its bit in this log}
   *
   * @param table the memory that is to be logged
   */
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
    for (int w = 0; w < words; w++) { // as many as fit into an array: the target has room
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

  /**
   * The end of this log, after the back end has acknowledged that it marks no more in it: collects
   * it for the last time and closes it.
   *
   * @param target where the marks are added
   * @return how many pages were marked
   * @throws IllegalArgumentException when {@code target} covers less than this log, which then
   *     stays open, with all its marks
   * @throws IllegalStateException when closed
   */
  public long retireInto(DirtyBitmap target) {
    long pages = collectInto(target);
    close();
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
