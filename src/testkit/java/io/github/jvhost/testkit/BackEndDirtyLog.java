package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The bitmap of SET_LOG_BASE as the back end writes it: one bit per 4 KiB page, set with an atomic
 * OR, since the front end clears bits at the same time (specification, "Migration").
 *
 * <pre>
 *   page p:   32-bit word p / 32, bit p % 32      (little-endian: byte p / 8, bit p % 8)
 * </pre>
 */
final class BackEndDirtyLog implements AutoCloseable {
  private static final int PAGE_SHIFT = 12;
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private final Mapping mapping;
  private final MemorySegment bits;
  private final long pages;

  private BackEndDirtyLog(Mapping mapping, MemorySegment bits) {
    this.mapping = mapping;
    this.bits = bits;
    this.pages = bits.byteSize() / Integer.BYTES * Integer.SIZE;
  }

  /**
   * Maps the log.
   *
   * @param place where the log lies in the file
   * @param file the log's file; this method owns it, also when it fails
   * @throws VhostException when the log is not inside its file or not aligned to 8 bytes
   */
  static BackEndDirtyLog map(LogRegion place, OwnedDescriptor file) {
    try (MemoryFile opened = MemoryFile.adopt(file)) {
      long start = place.offset() & -(long) Mapping.PAGE;
      long before = place.offset() - start;
      if (place.offset() < 0
          || place.bytes() < 0
          || place.bytes() > opened.size() - place.offset()
          || place.offset() % Long.BYTES != 0) {
        throw new VhostException(
            "mapping " + place + ": its file has " + opened.size() + " bytes", Recovery.GIVE_UP);
      }
      Mapping mapping = opened.map(start, before + place.bytes());
      return new BackEndDirtyLog(mapping, mapping.segment().asSlice(before, place.bytes()));
    }
  }

  /**
   * Marks all pages that a write touched. Pages beyond the end of the log have no bit and are
   * skipped.
   */
  void mark(long guestAddress, long length) {
    long first = guestAddress >>> PAGE_SHIFT;
    long last = (guestAddress + length - 1) >>> PAGE_SHIFT;
    for (long page = first; page <= last && page < pages; page++) {
      long at = page / Integer.SIZE * Integer.BYTES;
      int bit = 1 << (int) (page % Integer.SIZE);
      var _ = (int) WORD.getAndBitwiseOr(bits, at, bit);
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
