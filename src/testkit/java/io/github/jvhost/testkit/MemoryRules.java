package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.testkit.MemoryMessages.Postcopy;
import io.github.jvhost.testkit.RuleBreach.Rule;
import java.util.ArrayList;
import java.util.List;

/** The part of {@link FrontEndRules} that is about memory, addresses and postcopy. */
final class MemoryRules {
  private final BackEndState state;
  private final FrontEndRules rules;

  MemoryRules(BackEndState state, FrontEndRules rules) {
    this.state = state;
    this.rules = rules;
  }

  void checkTable(List<MemoryRegionPayload> told) {
    boolean goAhead = state.postcopy() == Postcopy.TOLD && told.isEmpty();
    if (has(ProtocolFeature.CONFIGURE_MEM_SLOTS) && !goAhead) {
      rules.breach(Rule.TABLE_WITH_SLOTS, "SET_MEM_TABLE although slots were negotiated");
    }
    if (state.postcopy() == Postcopy.TOLD && !goAhead) {
      rules.breach(Rule.POSTCOPY_ORDER, "another memory table instead of the go-ahead");
    }
    told.forEach(this::checkUserAddress);
  }

  void checkRegion(FrontEndRequest request, MemoryRegionPayload told) {
    checkUserAddress(told);
    if (request != FrontEndRequest.ADD_MEM_REG) {
      checkRemoved(told);
      return;
    }
    List<MemoryRegionPayload> next = new ArrayList<>(state.memory());
    next.add(MemoryMessages.placed(told, state.protocolFeatures()));
    if (BackEndMemoryTable.overlap(next) || next.size() > state.offer().memorySlots()) {
      rules.breach(
          Rule.REGION_ADDED_TOO_EARLY,
          "ADD_MEM_REG of guest address 0x"
              + Long.toHexString(told.guestAddress())
              + ", whose place or slot is taken");
    }
  }

  private void checkRemoved(MemoryRegionPayload told) {
    MemoryRegionPayload region = MemoryMessages.placed(told, state.protocolFeatures());
    for (int i = 0; i < state.offer().rings(); i++) {
      if (state.model(i).iotlb.pointsInto(region.userAddress(), region.size())) {
        rules.breach(
            Rule.TRANSLATION_INTO_REMOVED_REGION,
            "REM_MEM_REG of guest address 0x"
                + Long.toHexString(told.guestAddress())
                + ", into which ring "
                + i
                + " has translations");
      }
    }
  }

  private void checkUserAddress(MemoryRegionPayload told) {
    if (has(ProtocolFeature.GPA_ADDRESSES) && told.userAddress() != told.guestAddress()) {
      rules.breach(
          Rule.NO_GUEST_ADDRESS,
          "user address 0x"
              + Long.toHexString(told.userAddress())
              + " of the region at guest address 0x"
              + Long.toHexString(told.guestAddress()));
    }
  }

  void checkRing(VringAddress told) {
    if (!has(ProtocolFeature.GPA_ADDRESSES)
        || (state.features() & VhostFeature.IOMMU_PLATFORM) != 0) {
      return;
    }
    for (long address : new long[] {told.descriptor(), told.available(), told.used()}) {
      boolean inside =
          state.memory().stream()
              .anyMatch(r -> Long.compareUnsigned(address - r.guestAddress(), r.size()) < 0);
      if (!inside) {
        rules.breach(
            Rule.NO_GUEST_ADDRESS,
            "address 0x" + Long.toHexString(address) + " of ring " + told.index());
      }
    }
  }

  /** Checks features that are about to be taken. */
  void checkFeatures(long told) {
    if ((told & ~state.features() & VhostFeature.IOMMU_PLATFORM) == 0) {
      return;
    }
    for (int i = 0; i < state.offer().rings(); i++) {
      if (state.model(i).address != null) {
        rules.breach(Rule.RING_BEFORE_IOMMU, "IOMMU_PLATFORM after the addresses of ring " + i);
      }
    }
  }

  void checkTranslation(Iotlb told) {
    if ((state.features() & VhostFeature.IOMMU_PLATFORM) == 0) {
      rules.breach(Rule.NOT_NEGOTIATED, "IOTLB_MSG without IOMMU_PLATFORM");
      return;
    }
    String range = "0x%x bytes at 0x%x".formatted(told.length(), told.iova());
    if (told.type() == Iotlb.INVALIDATE) {
      if (Long.compareUnsigned(told.iova() + told.length(), told.iova()) < 0) {
        rules.breach(Rule.INVALIDATION_WRAPS, "invalidation of " + range);
      }
      return;
    }
    boolean named = false;
    for (int i = 0; i < state.offer().rings(); i++) {
      RingModel ring = state.model(i);
      Iotlb there = ring.iotlb.at(told.iova());
      named |= ring.named;
      if (there != null && !there.equals(told)) {
        rules.breach(
            Rule.TRANSLATION_NOT_INVALIDATED,
            "translation of " + range + ", where ring " + i + " has " + there);
        return;
      }
    }
    if (!named) {
      rules.breach(Rule.TRANSLATION_BEFORE_RINGS, "translation of " + range + " before any ring");
    }
  }

  void checkPostcopy(FrontEndRequest request) {
    boolean inOrder =
        switch (request) {
          case POSTCOPY_ADVISE -> state.postcopy() == Postcopy.OFF;
          case POSTCOPY_LISTEN -> state.postcopy() == Postcopy.ADVISED;
          // Postcopy may be ended right after ADVISE.
          default -> state.postcopy() != Postcopy.OFF && state.postcopy() != Postcopy.TOLD;
        };
    if (!inOrder) {
      rules.breach(Rule.POSTCOPY_ORDER, request + " when postcopy was " + state.postcopy());
    }
    if (has(ProtocolFeature.CONFIGURE_MEM_SLOTS)) {
      rules.breach(Rule.POSTCOPY_ORDER, request + " with memory slots");
    }
  }

  private boolean has(ProtocolFeature feature) {
    return feature.isIn(state.protocolFeatures());
  }
}
