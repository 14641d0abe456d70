package io.github.jvhost.embedding;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What a VMM on KVM has before it meets this library: guest memory that it made and mapped, and
 * eventfds of which KVM knows. The library is given numbers.
 */
public final class OwnVm implements AutoCloseable {
  static final int RAM_BYTES = 32 << 20;
  private static final int RINGS = 2;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final MemoryFile file = MemoryFile.create(ledger, "vmm ram", RAM_BYTES);
  private final Mapping mapping = file.map(0, RAM_BYTES);
  private final List<EventFd> ioEventFds = new ArrayList<>();
  private final List<EventFd> irqFds = new ArrayList<>();
  private final EventFd line = EventFd.create(ledger, "vmm interrupt line");
  private final DirtyBitmap written = new DirtyBitmap(1L << 33);

  public OwnVm() {
    for (int i = 0; i < RINGS; i++) {
      ioEventFds.add(EventFd.create(ledger, "vmm ioeventfd " + i));
      irqFds.add(EventFd.create(ledger, "vmm irqfd " + i));
    }
  }

  int ramFd() {
    return file.descriptor().number();
  }

  /** The VMM's own mapping of guest memory. */
  MemorySegment ram() {
    return mapping.segment();
  }

  int ioEventFd(int ring) {
    return ioEventFds.get(ring).descriptor().number();
  }

  int irqFd(int ring) {
    return irqFds.get(ring).descriptor().number();
  }

  /** KVM lets go of a ring's eventfds, and knows others instead. */
  public void rebind(int ring) {
    ioEventFds.set(ring, EventFd.create(ledger, "vmm other ioeventfd " + ring)).close();
    irqFds.set(ring, EventFd.create(ledger, "vmm other irqfd " + ring)).close();
  }

  /** The irqfd of the device's line. */
  EventFd line() {
    return line;
  }

  /** The guest notifies a ring, and KVM turns that into a signal. */
  void kick(int ring) {
    ioEventFds.get(ring).signal();
  }

  /** Where the guest's interrupts arrive. */
  public EventFd interrupts(int ring) {
    return irqFds.get(ring);
  }

  /** KVM_MEM_LOG_DIRTY_PAGES: the guest of these tests writes through here. */
  void logDirtyPages(GuestMemory memory, boolean on) {
    memory.trackWrites(on ? written : null);
  }

  /** KVM_GET_DIRTY_LOG. */
  long[] takeDirtyLog(long guestAddress, long size) {
    long[] pages = new long[(int) (size / 4096 / Long.SIZE)];
    DirtyBitmap others = new DirtyBitmap(written.highestAddress());
    written.drain(at -> {
      if (at >= guestAddress && at - guestAddress < size) {
        int page = (int) ((at - guestAddress) / 4096);
        pages[page / Long.SIZE] |= 1L << page;
      } else {
        others.mark(at, 1);
      }
    });
    written.merge(others);
    return pages;
  }

  List<String> leftOpen() {
    return ledger.describeOpen();
  }

  @Override
  public void close() {
    line.close();
    ioEventFds.forEach(EventFd::close);
    irqFds.forEach(EventFd::close);
    mapping.close();
    file.close();
  }
}
