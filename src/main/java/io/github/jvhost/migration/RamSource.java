package io.github.jvhost.migration;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.MemoryTable;

/**
 * Guest memory as the source's embedder transfers it. Called from the migration's thread.
 *
 * <p>An embedder with a transfer of its own need not use the {@link PageSink}. What counts is the
 * order: whatever {@link #sendDirty} sent has to be in the destination's memory before the
 * destination reads what is sent on the {@link MigrationLink} afterwards. Where both travel in one
 * stream that is so by itself; where pages have connections of their own, {@link #sendDirty}
 * returns when the other side has confirmed them.
 */
public interface RamSource {
  /** {@return the regions; what the migration's HELLO tells} */
  MemoryTable table();

  /** From now on the guest's own writes are followed; every page is still to be sent. */
  void begin();

  /**
   * {@return the bitmap in which the pages are marked that have to be sent; back ends' dirty logs
   * are merged into it}
   */
  DirtyBitmap dirty();

  /**
   * Sends every page that is marked now, and takes the marks away first, so that a page that is
   * written meanwhile is marked again.
   *
   * @param sink takes pages for the migration's own stream; it need not be used
   * @return pages sent
   */
  long sendDirty(PageSink sink);

  /** Regions have come or gone: the marks have to cover them. Pages of a new one are marked. */
  void tableChanged();

  /**
   * Nothing is followed any more. Called once where {@link #begin} was, also if that failed; what
   * it throws is logged and changes nothing, since it may be said when the guest has moved already.
   */
  void end();
}
