package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import java.util.List;

/**
 * Handles the messages about memory for one {@link BackEndState}: the table, slots, the dirty log,
 * and postcopy.
 *
 * <pre>
 *   postcopy:  OFF --ADVISE--> ADVISED --LISTEN--> LISTENING --SET_MEM_TABLE--> TOLD --empty table--> GOING
 *               ^                                                 answered with our bases   go-ahead    |
 *               +--------------------------------- END ------------------------------------------------+
 * </pre>
 */
final class MemoryMessages {
  /** How far postcopy has come. */
  enum Postcopy {
    OFF,
    ADVISED,
    LISTENING,
    TOLD,
    GOING
  }

  private final BackEndState state;
  private final BackEndMemoryTable table;
  private Postcopy postcopy = Postcopy.OFF;

  MemoryMessages(BackEndState state, BackEndMemoryTable table) {
    this.state = state;
    this.table = table;
  }

  Postcopy postcopy() {
    return postcopy;
  }

  /**
   * Returns the region with the user address by which ring addresses find it. With GPA_ADDRESSES
   * ring addresses are guest addresses, and the region's own user address is ignored.
   */
  static MemoryRegionPayload placed(MemoryRegionPayload told, long protocolFeatures) {
    return ProtocolFeature.GPA_ADDRESSES.isIn(protocolFeatures)
        ? new MemoryRegionPayload(
            told.guestAddress(), told.size(), told.guestAddress(), told.mmapOffset())
        : told;
  }

  Outcome takeTable(List<MemoryRegionPayload> told) {
    if (postcopy == Postcopy.TOLD && told.isEmpty()) {
      postcopy = Postcopy.GOING;
      return Outcome.done();
    }
    List<MemoryRegionPayload> regions =
        told.stream().map(region -> placed(region, state.protocolFeatures())).toList();
    if (BackEndMemoryTable.overlap(regions)) {
      return Outcome.failed("memory regions that overlap");
    }
    boolean isNew = !table.regions().equals(regions);
    if (isNew || !state.offer().personality().keepsEqualMemory() || listens()) {
      table.replace(regions);
      state.effect(new Effect.MemoryReplaced(regions, isNew));
      if (isNew) {
        state.translations().memoryReplaced();
      }
      state.ringSet().mapAgain();
    }
    if (listens()) {
      postcopy = Postcopy.TOLD;
      return Outcome.answered(new MemoryTablePayload(told));
    }
    return Outcome.done();
  }

  /**
   * Returns true from LISTEN on. The answer to a memory message then has the back end's addresses,
   * and a go-ahead has to follow.
   */
  private boolean listens() {
    return postcopy.compareTo(Postcopy.LISTENING) >= 0;
  }

  Outcome takeRegion(FrontEndRequest request, MemoryRegionPayload told) {
    MemoryRegionPayload region = placed(told, state.protocolFeatures());
    if (request == FrontEndRequest.ADD_MEM_REG) {
      if (table.regions().size() >= state.offer().memorySlots() || !table.add(region)) {
        return Outcome.failed("a memory region that finds no place");
      }
      state.translations().memoryReplaced();
      state.effect(new Effect.RegionAdded(region));
    } else {
      MemoryRegionPayload removed = table.remove(region);
      if (removed == null) {
        return Outcome.failed("a memory region that was never added");
      }
      state.translations().regionRemoved(removed);
      state.effect(new Effect.RegionRemoved(removed));
    }
    state.ringSet().mapAgain();
    if (listens() && request == FrontEndRequest.ADD_MEM_REG) {
      postcopy = Postcopy.TOLD;
      return Outcome.answered(new SingleRegion(told));
    }
    return Outcome.done();
  }

  Outcome takeLog() {
    state.effect(new Effect.LogReplaced());
    if (!ProtocolFeature.LOG_SHMFD.isIn(state.protocolFeatures())) {
      return Outcome.done();
    }
    // The specification does not define this answer's length: DPDK's is empty, libvhost-user's is a
    // number.
    return Outcome.answered(
        state.offer().personality().baseSetsUsed() ? NoPayload.INSTANCE : new U64(0));
  }

  Outcome takePostcopy(FrontEndRequest request) {
    return switch (request) {
      case POSTCOPY_ADVISE -> {
        postcopy = Postcopy.ADVISED;
        state.effect(new Effect.PostcopyAdvised());
        yield Outcome.answered(NoPayload.INSTANCE);
      }
      case POSTCOPY_LISTEN -> {
        if (postcopy != Postcopy.ADVISED) {
          yield Outcome.failed("POSTCOPY_LISTEN, " + postcopy);
        }
        postcopy = Postcopy.LISTENING;
        yield Outcome.done();
      }
      default -> {
        if (postcopy == Postcopy.OFF) {
          yield Outcome.failed("POSTCOPY_END without a beginning");
        }
        postcopy = Postcopy.OFF;
        yield Outcome.answered(new U64(0));
      }
    };
  }
}
