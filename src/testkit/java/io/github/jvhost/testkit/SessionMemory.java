package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The mappings of one connection: guest memory and the dirty log. Used by one thread. */
final class SessionMemory implements AutoCloseable {
  private final BackEndState state;
  private BackEndMemory memory = new BackEndMemory();
  private @Nullable BackEndDirtyLog log;
  private @Nullable EventFd logChanged;
  private boolean marked;

  SessionMemory(BackEndState state) {
    this.state = state;
  }

  BackEndMemory memory() {
    return memory;
  }

  void markDirty(long guestAddress, long length) {
    if (log != null) {
      log.mark(guestAddress, length);
      marked = true;
    }
  }

  /** Called after rings were served. Signals the eventfd of SET_LOG_FD if pages were marked. */
  void served() {
    if (marked && logChanged != null) {
      logChanged.signal();
    }
    marked = false;
  }

  /** Keeps the eventfd of SET_LOG_FD. */
  void logChanged(OwnedDescriptor descriptor) {
    if (logChanged != null) {
      logChanged.close();
    }
    logChanged = EventFd.adopt(descriptor);
  }

  /**
   * Maps the new table first, because the state may read the new memory at once. Undoes this if the
   * state refuses the message.
   */
  Outcome replace(
      FrontEndRequest request, MemoryTablePayload table, List<OwnedDescriptor> descriptors) {
    BackEndMemory before = memory;
    BackEndMemory after;
    try {
      after =
          BackEndMemory.map(
              table.regions().stream().map(this::placed).toList(), List.copyOf(descriptors));
    } catch (VhostException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    memory = after;
    Outcome outcome;
    try {
      outcome = state.handle(request, table, descriptors.size());
    } catch (RuntimeException e) {
      before.close();
      throw e;
    }
    boolean replaced = outcome.effects().stream().anyMatch(e -> e instanceof Effect.MemoryReplaced);
    memory = replaced ? after : before;
    (replaced ? before : after).close();
    return outcome.answer() instanceof MemoryTablePayload(var regions)
        ? outcome.answering(new MemoryTablePayload(regions.stream().map(this::withBase).toList()))
        : outcome;
  }

  /** In postcopy the answer has the addresses at which the back end will miss pages. */
  private MemoryRegionPayload withBase(MemoryRegionPayload region) {
    var bytes = memory.atGuest(region.guestAddress(), region.size());
    long base = bytes == null ? 0 : bytes.address();
    return new MemoryRegionPayload(region.guestAddress(), region.size(), base, region.mmapOffset());
  }

  Outcome add(FrontEndRequest request, SingleRegion single, List<OwnedDescriptor> descriptors) {
    MemoryRegionPayload region = placed(single.region());
    try {
      memory.add(region, descriptors.getFirst());
    } catch (VhostException e) {
      return Outcome.failed(String.valueOf(e.getMessage()));
    }
    Outcome outcome = state.handle(request, single, 1);
    if (!outcome.tookEffect()) {
      memory.remove(region);
    }
    return outcome.answer() instanceof SingleRegion(var told)
        ? outcome.answering(new SingleRegion(withBase(told)))
        : outcome;
  }

  private MemoryRegionPayload placed(MemoryRegionPayload region) {
    return MemoryMessages.placed(region, state.protocolFeatures());
  }

  Outcome replaceLog(FrontEndRequest request, LogRegion place, List<OwnedDescriptor> descriptors) {
    Outcome outcome = state.handle(request, place, 1);
    if (outcome.tookEffect()) {
      BackEndDirtyLog next;
      try {
        next = BackEndDirtyLog.map(place, descriptors.getFirst());
      } catch (VhostException e) {
        return Outcome.hungUp(String.valueOf(e.getMessage()));
      }
      closeLog();
      log = next;
    }
    return outcome;
  }

  private void closeLog() {
    if (log != null) {
      log.close();
      log = null;
    }
  }

  @Override
  public void close() {
    if (logChanged != null) {
      logChanged.close();
    }
    closeLog();
    memory.close();
  }
}
