package io.github.jvhost.testkit.ram;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.PageSink;
import io.github.jvhost.migration.RamSource;
import java.util.function.Consumer;

/**
 * Pre-copy of a {@link GuestMemory}: every page once, zero or not, then in each round the pages
 * that were written since. Pages that lie one behind the other go out together. One thread.
 */
public final class PreCopySource implements RamSource {
  private static final long PAGE = MemoryRegion.PAGE;

  private final GuestMemory memory;
  private final Consumer<Runnable> whileGuestWaits;
  private final DirtyBitmap dirty;
  private MemoryTable known;

  /**
   * Of this memory.
   *
   * @param memory stays the caller's
   * @param highestAddress up to which regions may be added while it is migrated
   * @param whileGuestWaits runs something while the guest writes nothing: a write must not slip
   *     between the two ways of taking note of it
   */
  public PreCopySource(
      GuestMemory memory, long highestAddress, Consumer<Runnable> whileGuestWaits) {
    this.memory = memory;
    this.whileGuestWaits = whileGuestWaits;
    this.known = memory.table();
    this.dirty = new DirtyBitmap(Math.max(highestAddress, known.highestAddress()));
  }

  @Override
  public MemoryTable table() {
    return memory.table();
  }

  @Override
  public void begin() {
    whileGuestWaits.accept(() -> memory.trackWrites(dirty));
    known.regions().forEach(this::mark);
  }

  private void mark(MemoryRegion region) {
    dirty.mark(region.guestAddress(), region.size());
  }

  @Override
  public DirtyBitmap dirty() {
    return dirty;
  }

  @Override
  public long sendDirty(PageSink sink) {
    var runs = new PageRuns(sink);
    long pages = dirty.drain(runs::page);
    runs.flush();
    return pages;
  }

  @Override
  public void tableChanged() {
    for (MemoryRegion region : memory.table().regions()) {
      if (known.region(region.name()).isEmpty()) {
        mark(region);
      }
    }
    known = memory.table();
  }

  @Override
  public void end() {
    whileGuestWaits.accept(() -> memory.trackWrites(null));
  }

  /** Gathers pages that lie one behind the other in one region. */
  private final class PageRuns {
    private final PageSink sink;
    private long start;
    private long length;

    PageRuns(PageSink sink) {
      this.sink = sink;
    }

    void page(long guestAddress) {
      if (!memory.table().contains(guestAddress, PAGE)) {
        return; // a back end may mark what is no memory
      }
      boolean follows =
          length > 0
              && guestAddress == start + length
              && length + PAGE <= PageSink.MAX_BYTES
              && memory.table().contains(start, length + PAGE);
      if (!follows) {
        flush();
        start = guestAddress;
      }
      length += PAGE;
    }

    void flush() {
      if (length > 0) {
        sink.pages(start, memory.slice(start, length).asByteBuffer());
      }
      length = 0;
    }
  }
}
