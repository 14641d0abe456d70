package io.github.jvhost.migration;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.MemoryTable;

/**
 * Guest memory as the source's embedder transfers it. Called from the migration's thread.
 *
 * <p>An embedder with a transfer of its own need not use the {@link PageSink}. What counts is the
 * order: what {@link #sendDirty} sent has to be in the destination's memory before the destination
 * reads what is sent on the {@link MigrationLink} afterwards. If both travel in one stream, they
 * are in this order. If pages have connections of their own, {@link #sendDirty} returns when the
 * other side has confirmed them.
 */
public interface RamSource {
  /** {@return the regions; which the migration's HELLO sends} */
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
   * Writes are not followed any more. Called once after {@link #begin}, also if that failed. What
   * it throws is logged and changes nothing, because the guest may have moved already.
   */
  void end();
}
