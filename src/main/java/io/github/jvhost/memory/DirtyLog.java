package io.github.jvhost.memory;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The bitmap in which a back end marks the pages that it writes. SET_LOG_BASE shares its file with
 * the back end (vhost-user, "Migration"). A page has 4096 bytes on every host.
 *
 * <pre>
 *   byte   0             1             8
 *          | pages 0..7  | pages 8..15 | ... | pages 64..71 | ...
 *            page 0 = bit 0
 *
 *   size = 8 * (last address / 256 KiB + 1)
 * </pre>
 *
 * <p>Read as little-endian longs, these bytes are the words of a {@link DirtyBitmap}. The back end
 * sets bits with an atomic OR. This class takes eight bytes at a time with an atomic exchange, so
 * no bit is lost.
 *
 * <p>The order of the messages. Each arrow waits for the back end's answer:
 *
 * <pre>
 *   start    create -> SET_LOG_BASE -> SET_FEATURES +LOG_ALL -> SET_VRING_ADDR with log, each ring
 *   collect  collectInto, as often as wanted, while the back end goes on
 *   grow     create -> SET_LOG_BASE -> memory table                     old one: retire
 *   shrink   memory table -> create -> SET_LOG_BASE                     old one: retire
 *   stop     GET_VRING_BASE of the last ring, or SET_FEATURES -LOG_ALL  -> retire
 *   retire   collectInto for the last time -> close
 * </pre>
 *
 * <p>The back end may mark pages in the old log until it answers. So the old log is retired after
 * the answer, never before.
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
   * beyond its end, create a new log, send it to the back end, and collect the old log after the
   * back end's reply.
   *
   * @param ledger where its descriptor is written down
   * @param table the memory that the log covers
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
   * {@return the file's descriptor, still owned by this object, for SET_LOG_BASE} The bitmap begins
   * at offset 0.
   */
  public OwnedDescriptor descriptor() {
    return file.descriptor();
  }

  /** {@return the bitmap's size in bytes, as in SET_LOG_BASE} */
  public long size() {
    return file.size();
  }

  /**
   * Moves all marks out of the log. It also moves marks for addresses without memory: the back end
   * may log used rings that lie outside the table, and it is not trusted.
   *
   * @param target receives the marks
   * @return how many pages were marked in the log, whether or not they were in {@code target}
   *     already
   * @throws IllegalArgumentException when {@code target} covers less than this log
   * @throws IllegalStateException when closed
   */
  public long collectInto(DirtyBitmap target) {
    long words = size() / Long.BYTES;
    target.requireRoomFor(words);
    long pages = 0;
    for (int w = 0; w < words; w++) { // the target has this many words, so an int is enough
      long at = (long) w * Long.BYTES;
      // Read first: an exchange would write every cache line of a log that is mostly zero, while
      // the back end uses it.
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
   * Unmaps the log and closes its file. The back end keeps its own mapping. A second call does
   * nothing.
   */
  @Override
  public void close() {
    mapping.close();
    file.close();
  }

  private static long sizeFor(MemoryTable table) {
    return Long.BYTES * (table.highestAddress() / DirtyBitmap.BYTES_PER_WORD + 1);
  }
}
