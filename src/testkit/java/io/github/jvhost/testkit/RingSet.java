package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * The rings of one {@link BackEndState}: what is told of each, when its used index is read, and
 * which run.
 *
 * <pre>
 *   told: size, address, kick, call, enable      memory, status
 *                     \                            /
 *                      +--> translated? ready? ---+--> started
 * </pre>
 */
final class RingSet {
  private static final int MAX_RING_SIZE = 32768;

  private final BackEndState state;
  private final Personality personality;
  private final RingModel[] rings;
  private final BackEndMemoryTable memory;
  private final BackEndTranslations translations;
  private final IntUnaryOperator usedIndexes;

  RingSet(
      BackEndState state,
      RingModel[] rings,
      BackEndMemoryTable memory,
      BackEndTranslations translations,
      IntUnaryOperator usedIndexes) {
    this.state = state;
    this.personality = state.offer().personality();
    this.rings = rings;
    this.memory = memory;
    this.translations = translations;
    this.usedIndexes = usedIndexes;
    for (RingModel ring : rings) {
      // DPDK does not keep the used half of a packed base: its answer to GET_VRING_BASE has zero
      // there.
      ring.reportsUsed = !personality.baseSetsUsed();
      ring.enabled = isEnabledUntold(ring);
    }
  }

  Outcome takeNumber(FrontEndRequest request, RingModel ring, int num) {
    return switch (request) {
      case SET_VRING_NUM -> {
        if (num < 1 || num > MAX_RING_SIZE || (!isPacked() && Integer.bitCount(num) != 1)) {
          yield Outcome.failed("a ring of " + Integer.toUnsignedString(num) + " entries");
        }
        ring.size = num;
        yield Outcome.done();
      }
      case SET_VRING_BASE -> {
        if (!isPacked() && (num & 0xffff0000) != 0) {
          yield Outcome.failed("a split base of " + Integer.toUnsignedString(num));
        }
        ring.base = num & 0xffff;
        if (personality.baseSetsUsed()) {
          ring.nextUsed = ring.base;
        } else if (ring.packed) {
          ring.nextUsed = num >>> 16;
        }
        yield Outcome.done();
      }
      case GET_VRING_BASE -> {
        if (personality.stoppedBaseIsZero() && !ring.started) {
          yield Outcome.answered(new VringState(ring.number, 0));
        }
        int base = ring.wholeBase();
        stop(ring);
        if (personality.forgetsDriverOk()) {
          state.clearDriverOk();
          state.effect(new Effect.HardwareForgotten());
        }
        yield Outcome.answered(new VringState(ring.number, base));
      }
      case SET_VRING_ENABLE -> {
        if (num != 0 && num != 1) {
          yield Outcome.failed("an enable flag of " + num);
        }
        ring.enabled = num == 1;
        yield Outcome.done();
      }
      case VRING_KICK -> {
        // A ring that is kicked by messages needs no SET_VRING_KICK.
        if (ring.kick == RingModel.RingEventfd.UNKNOWN) {
          takeNotifier(FrontEndRequest.SET_VRING_KICK, ring, false);
        }
        yield Outcome.done();
      }
      default -> state.unknown("request " + request);
    };
  }

  private void stop(RingModel ring) {
    forget(ring, personality.forgets() != Personality.Forgets.KICK);
    ring.unmapped = false;
    ring.iotlb.clear();
    switch (personality.forgets()) {
      case KICK, KICK_CALL -> {}
      case KICK_CALL_ADDRESS_SIZE -> {
        ring.forgetPlace();
        ring.size = 0;
      }
      case EVERYTHING -> forgetAll(ring);
    }
  }

  private void forgetAll(RingModel ring) {
    ring.forgetAll();
    ring.enabled = isEnabledUntold(ring);
  }

  private boolean isEnabledUntold(RingModel ring) {
    return personality.enablesFirstPair() && ring.number < 2;
  }

  /** Resets all rings from this one on. */
  void forgetAllFrom(int first) {
    for (int i = first; i < rings.length; i++) {
      forget(rings[i], true);
      forgetAll(rings[i]);
      rings[i].iotlb.clear();
      rings[i].named = false;
    }
  }

  /** Forgets the kick, and if {@code call} also the call. */
  private void forget(RingModel ring, boolean call) {
    ring.kick = RingModel.RingEventfd.UNKNOWN;
    ring.call = call ? RingModel.RingEventfd.UNKNOWN : ring.call;
    state.effect(new Effect.NotifiersForgotten(ring.number, true, call));
  }

  Outcome takeAddress(RingModel ring, VringAddress told) {
    if (memory.isEmpty()) {
      return Outcome.failed("ring addresses before any memory");
    }
    if (!personality.toleratesForeignAddress()
        && !translations.active()
        && !translations.inMemory(told, ring)) {
      return Outcome.failed("ring " + ring.number + " outside of the memory table");
    }
    boolean wasMapped = ring.mapped != null;
    lose(ring);
    ring.address = told;
    switch (personality.indexRead()) {
      case AT_ADDRESS -> map(ring, true);
      case AT_START -> map(ring, false);
      case AT_KICK -> {
        if (ring.enabled || wasMapped) {
          map(ring, true);
        }
      }
    }
    return Outcome.done();
  }

  Outcome takeNotifier(FrontEndRequest request, RingModel ring, boolean descriptor) {
    RingModel.RingEventfd told =
        descriptor
            ? RingModel.RingEventfd.WITH_DESCRIPTOR
            : RingModel.RingEventfd.WITHOUT_DESCRIPTOR;
    if (personality.startsByDescriptorsOnly() && request != FrontEndRequest.SET_VRING_ERR) {
      if (!descriptor && !state.hasInBandNotifications()) {
        return Outcome.failed(request + " without a descriptor");
      }
      if (request == FrontEndRequest.SET_VRING_KICK && ring.call == RingModel.RingEventfd.UNKNOWN) {
        return Outcome.failed("the kick of ring " + ring.number + " before its call");
      }
    }
    switch (request) {
      case SET_VRING_KICK -> {
        ring.kick = told;
        if (personality.indexRead() == Personality.IndexRead.AT_KICK) {
          map(ring, true);
        }
        if (personality.enablesAtKick()
            && (state.features() & VhostFeature.PROTOCOL_FEATURES) == 0) {
          ring.enabled = true;
        }
      }
      case SET_VRING_CALL -> {
        ring.call = told;
        if (descriptor && personality.signalsNewCall()) {
          state.effect(new Effect.CallSignalled(ring.number));
        }
      }
      default -> {
        // SET_VRING_ERR: the back end does not use it.
      }
    }
    return Outcome.done();
  }

  private boolean isPacked() {
    return NetFeature.RING_PACKED.in(state.features());
  }

  /** Looks rings up again after a change of memory. */
  void mapAgain() {
    for (RingModel ring : rings) {
      if (ring.mapped != null) {
        lose(ring);
        map(ring, personality.indexRead() == Personality.IndexRead.AT_KICK);
      }
    }
  }

  /** The ring's place in memory is not valid any more. With an IOMMU the device runs on. */
  void lose(RingModel ring) {
    ring.mapped = null;
    ring.unmapped = ring.started && translations.active();
  }

  /** A translation has come that may be what the ring lacks. */
  void map(RingModel ring) {
    map(ring, personality.indexRead() != Personality.IndexRead.AT_START);
  }

  private void map(RingModel ring, boolean readIndex) {
    VringAddress address = ring.address;
    // A ring that has a place keeps it, whatever becomes of the translations.
    if (address == null || (ring.mapped != null && translations.active())) {
      return;
    }
    ring.mapped = translations.map(ring, address);
    if (ring.mapped != null) {
      ring.unmapped = false;
      if (readIndex) {
        readUsedIndex(ring, ring.nextUsed);
      }
    }
  }

  private void readUsedIndex(RingModel ring, int expected) {
    if (isPacked() || personality.indexRule() == Personality.IndexRule.NOTHING) {
      return;
    }
    int used = usedIndexes.applyAsInt(ring.number) & 0xffff;
    // If BASE sets both indexes and the used index is the expected one, BASE stays.
    boolean surprise = used != expected || !personality.baseSetsUsed();
    ring.nextUsed = used;
    if (surprise && personality.indexRule() == Personality.IndexRule.BOTH) {
      ring.base = used;
    }
  }

  /** Derives which rings run after a message, and what the hardware then has to hold. */
  void settle(FrontEndRequest request, boolean driverOkCame) {
    if (request == FrontEndRequest.SET_FEATURES) {
      for (RingModel ring : rings) {
        ring.isPacked(isPacked());
      }
    }
    boolean deviceRuns = !state.hasStatus() || state.isDriverOk();
    if (driverOkCame) {
      state.startedForGood();
      if (personality.readsIndexAtDriverOk()) {
        for (RingModel ring : rings) {
          if (ring.ready()) {
            readUsedIndex(ring, -1);
          }
        }
      }
    }
    for (RingModel ring : rings) {
      noteMissingSize(ring, deviceRuns);
    }
    boolean started = false;
    for (RingModel ring : rings) {
      boolean run = mayRun(ring, deviceRuns);
      if (run && !ring.started) {
        start(ring);
        started = true;
      } else if (!run && ring.started) {
        ring.started = false;
        state.effect(new Effect.RingStopped(ring.number));
      }
    }
    boolean reconfigured = started || request == FrontEndRequest.SET_VRING_ENABLE;
    if (deviceRuns && state.isAnyStarted() && (driverOkCame || reconfigured)) {
      String occasion = driverOkCame ? "DRIVER_OK" : String.valueOf(request);
      boolean before = !personality.acknowledgesFirst();
      state.effect(new Effect.Configured(occasion, image(true), before));
    }
  }

  private boolean mayRun(RingModel ring, boolean deviceRuns) {
    boolean deviceHasSizes =
        personality.start() != Personality.Start.DEVICE_READY
            || (rings[0].size > 0 && rings[1].size > 0);
    return ring.size > 0 && deviceHasSizes && mayRunButForSize(ring, deviceRuns);
  }

  private boolean mayRunButForSize(RingModel ring, boolean deviceRuns) {
    boolean kicked = ring.kick != RingModel.RingEventfd.UNKNOWN;
    return switch (personality.start()) {
      case KICK -> {
        // A back end with PRESETUP drives hardware: it must not start its rings before the final
        // start.
        boolean held = state.holdsRingsUntilStart() && !deviceRuns;
        yield ring.mapped != null && kicked && !held;
      }
      case KICK_AND_ENABLE ->
          ring.mapped != null && ring.kick == RingModel.RingEventfd.WITH_DESCRIPTOR && ring.enabled;
      case DEVICE_READY ->
          deviceRuns
              && ring.readyButForSize()
              && rings[0].readyOrUnmapped()
              && rings[1].readyOrUnmapped();
    };
  }

  /**
   * A real back end starts such a ring with a wrong size, and reads invalid data or crashes. The
   * mock does not start it, and records the breach once.
   */
  private void noteMissingSize(RingModel ring, boolean deviceRuns) {
    boolean missing = ring.size == 0 && mayRunButForSize(ring, deviceRuns);
    if (missing && !ring.missesSize) {
      state.startedWithoutSize(ring);
    }
    ring.missesSize = missing;
  }

  private void start(RingModel ring) {
    ring.started = true;
    ring.asksForKicks = true;
    if (personality.indexRead() == Personality.IndexRead.AT_START) {
      readUsedIndex(ring, ring.nextUsed);
    }
    state.ringStarted(ring);
  }

  /**
   * What the hardware has to hold: only rings that have addresses and are enabled; on a running
   * device only those that run.
   */
  HardwareImage image(boolean running) {
    List<HardwareImage.Ring> image = new ArrayList<>();
    for (RingModel ring : rings) {
      VringAddress address = ring.address;
      if (address == null || !ring.described() || !ring.enabled || (running && !ring.started)) {
        continue;
      }
      // NVIDIA's driver presets every ring at index 0, whatever base was sent.
      int index = !running && personality.readsIndexAtDriverOk() ? 0 : ring.base;
      image.add(
          new HardwareImage.Ring(
              ring.number,
              ring.size,
              address.descriptor(),
              address.available(),
              address.used(),
              index));
    }
    long relevant = state.features() & ~(VhostFeature.LOG_ALL | VhostFeature.PROTOCOL_FEATURES);
    return new HardwareImage(relevant, image);
  }
}
