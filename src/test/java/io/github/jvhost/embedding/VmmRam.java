package io.github.jvhost.embedding;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.migration.PageSink;
import io.github.jvhost.migration.RamSource;

// guide: ram source
/** The source's RAM: KVM's dirty log and the back ends', sent in frames of the VMM's own. */
final class VmmRam implements RamSource {
  private static final int RUN = 1 << 20; // bytes of one frame at most

  private final OwnVm vm;
  private final GuestMemory memory;
  private final VmmStream stream;
  private final DirtyBitmap dirty;

  VmmRam(OwnVm vm, GuestMemory memory, VmmStream stream) {
    this.vm = vm;
    this.memory = memory;
    this.stream = stream;
    this.dirty = new DirtyBitmap(memory.table().highestAddress());
  }

  @Override
  public MemoryTable table() {
    return memory.table();
  }

  @Override
  public void begin() {
    vm.logDirtyPages(memory, true); // KVM_MEM_LOG_DIRTY_PAGES
    for (MemoryRegion region : table().regions()) {
      dirty.mark(region.guestAddress(), region.size());
    }
  }

  /** Back ends' marks are put in here by the migration; the vCPUs' are fetched. */
  @Override
  public DirtyBitmap dirty() {
    for (MemoryRegion region : table().regions()) {
      long[] pages = vm.takeDirtyLog(region.guestAddress(), region.size()); // KVM_GET_DIRTY_LOG
      dirty.markPages(region.guestAddress(), pages);
    }
    return dirty;
  }

  @Override
  public long sendDirty(PageSink notUsed) {
    return dirty().drainRuns(table(), RUN, (at, bytes) -> stream.sendRam(at, (int) bytes));
  }

  @Override
  public void tableChanged() {
    throw new IllegalStateException("this VMM adds no memory while it migrates");
  }

  @Override
  public void end() {
    vm.logDirtyPages(memory, false);
  }
}
// guide: end
