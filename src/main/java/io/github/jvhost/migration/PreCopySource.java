package io.github.jvhost.migration;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import java.util.function.Consumer;

/**
 * Pre-copy of a {@link GuestMemory}: every page once, zero or not, then in each round the pages
 * that were written since. Pages that follow each other are sent together. For one thread.
 */
public final class PreCopySource implements RamSource {
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
    return dirty.drainRuns(
        memory.table(),
        PageSink.MAX_BYTES,
        (at, bytes) -> sink.pages(at, memory.slice(at, bytes).asByteBuffer()));
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
}
