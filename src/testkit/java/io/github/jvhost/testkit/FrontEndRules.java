package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.List;

/**
 * Checks each message before it takes effect, and records what a front end must not do in this
 * state.
 */
final class FrontEndRules {
  private final BackEndState state;
  private final List<RuleBreach> breaches;
  private final MemoryRules memory;

  FrontEndRules(BackEndState state, List<RuleBreach> breaches) {
    this.state = state;
    this.breaches = breaches;
    this.memory = new MemoryRules(state, this);
  }

  void check(FrontEndRequest request, Payload payload) {
    switch (payload) {
      case VringState ring -> checkRing(request, ring);
      case VringAddress address -> checkAddress(address);
      case VringDescriptor eventfd -> checkNotifier(request, eventfd);
      case U64 value -> checkNumber(request, value.value());
      case MemoryTablePayload table -> memory.checkTable(table.regions());
      case SingleRegion single -> memory.checkRegion(request, single.region());
      case Iotlb message -> memory.checkTranslation(message);
      default -> checkOther(request);
    }
  }

  private void checkOther(FrontEndRequest request) {
    switch (request) {
      case RESET_OWNER -> breach(Rule.DEPRECATED, "RESET_OWNER");
      case SET_DEVICE_STATE_FD, CHECK_DEVICE_STATE -> {
        if (state.isAnyStarted()) {
          breach(Rule.STATE_WHILE_STARTED, request + " while a ring was started");
        }
      }
      case SET_INFLIGHT_FD -> {
        if (state.isAnyStarted()) {
          breach(Rule.INFLIGHT_WHILE_STARTED, "in-flight regions sent while a ring was started");
        }
        if (!isAnyRingKnown()) {
          breach(Rule.INFLIGHT_BEFORE_RINGS, "in-flight regions sent before any ring");
        }
      }
      case POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END -> memory.checkPostcopy(request);
      default -> {
        // The log and requests for information may come at any time.
      }
    }
  }

  private boolean isAnyRingKnown() {
    for (int i = 0; i < state.offer().rings(); i++) {
      RingView ring = state.ring(i);
      if (ring.size() > 0 || ring.kickTold() || ring.callTold() || ring.enabled()) {
        return true;
      }
    }
    return false;
  }

  private void checkRing(FrontEndRequest request, VringState told) {
    boolean started = state.isStarted(told.index());
    if (request == FrontEndRequest.SET_VRING_NUM && started) {
      breach(
          Rule.SIZE_WHILE_STARTED, "size " + told.num() + " sent to started ring " + told.index());
    } else if (request == FrontEndRequest.SET_VRING_BASE && started) {
      breach(
          Rule.BASE_WHILE_STARTED, "base " + told.num() + " sent to started ring " + told.index());
    } else if (request == FrontEndRequest.SET_VRING_ENDIAN && started) {
      breach(Rule.BYTE_ORDER_WHILE_STARTED, "byte order sent to started ring " + told.index());
    } else if (isStop(request) && state.isPreset()) {
      breach(Rule.PRESETUP_ORDER, request + " of ring " + told.index() + " before the final start");
    } else if (request == FrontEndRequest.SET_VRING_ENABLE
        && state.features() != 0
        && (state.features() & VhostFeature.PROTOCOL_FEATURES) == 0) {
      breach(Rule.NOT_NEGOTIATED, "SET_VRING_ENABLE without bit 30");
    }
  }

  private static boolean isStop(FrontEndRequest request) {
    return request == FrontEndRequest.GET_VRING_BASE
        || request == FrontEndRequest.GET_VRING_BASE_SKIP_DRAIN;
  }

  private void checkAddress(VringAddress told) {
    memory.checkRing(told);
    if (!state.isStarted(told.index())) {
      return;
    }
    VringAddress known = state.ring(told.index()).address();
    boolean onlyLog =
        known != null
            && known.descriptor() == told.descriptor()
            && known.available() == told.available()
            && known.used() == told.used()
            && (known.flags() ^ told.flags()) == VringAddress.LOG;
    if (!onlyLog) {
      breach(Rule.ADDRESS_WHILE_STARTED, "addresses sent to started ring " + told.index());
    }
  }

  private void checkNotifier(FrontEndRequest request, VringDescriptor told) {
    if (request != FrontEndRequest.SET_VRING_KICK) {
      return;
    }
    if (state.isStarted(told.index())) {
      breach(Rule.KICK_WHILE_STARTED, "kick sent to started ring " + told.index());
    }
    if (state.isBetweenPresetupStartAndEnd() && !told.withoutDescriptor() && !holdsRings()) {
      breach(
          Rule.PRESETUP_ORDER,
          "kick with a descriptor for ring "
              + told.index()
              + " before PRESETUP end, and only the protocol is known of this back end");
    }
  }

  /**
   * Whether a front end can know that no ring runs before DRIVER_OK, although its kick is there.
   */
  private boolean holdsRings() {
    return state.hasStatus()
        && (state.offer().personality().start() == Personality.Start.DEVICE_READY
            || state.offer().dialect().presetupHoldsRings());
  }

  private void checkNumber(FrontEndRequest request, long value) {
    switch (request) {
      case SET_FEATURES -> {
        long unknown = value & ~state.offer().features();
        if (unknown != 0) {
          breach(
              Rule.NOT_NEGOTIATED, "features 0x" + Long.toHexString(unknown) + " were not offered");
        }
        long changed = (value ^ state.features()) & ~VhostFeature.LOG_ALL;
        if (changed != 0 && state.isAnyStarted()) {
          breach(
              Rule.FEATURES_WHILE_STARTED,
              "features 0x" + Long.toHexString(changed) + " changed while a ring was started");
        }
        memory.checkFeatures(value);
      }
      case SET_PROTOCOL_FEATURES -> {
        long unknown = value & ~state.offer().offeredProtocolFeatures();
        if (unknown != 0) {
          breach(
              Rule.NOT_NEGOTIATED,
              "protocol features 0x" + Long.toHexString(unknown) + " were not offered");
        }
        checkNeeds(value);
      }
      case SET_STATUS -> {
        if (value == 0 && state.isAnyStarted()) {
          breach(Rule.RESET_WHILE_STARTED, "status 0 sent while a ring was started");
        }
        if (state.isBetweenPresetupStartAndEnd() && (value & DeviceStatus.DRIVER_OK) != 0) {
          breach(Rule.PRESETUP_ORDER, "DRIVER_OK before PRESETUP end");
        }
      }
      case PRESETUP -> {
        if (!state.hasStatus()) {
          breach(Rule.PRESETUP_WITHOUT_STATUS, "PRESETUP " + value + " without STATUS");
        }
        if (value == PresetupCode.END && !state.isBetweenPresetupStartAndEnd()) {
          breach(Rule.PRESETUP_ORDER, "PRESETUP end without a start");
        }
      }
      default -> {
        // No other number depends on the state.
      }
    }
  }

  /** Checks features that need others. A dialect may have masked those. */
  private void checkNeeds(long told) {
    long upstream = told & ~state.offer().dialect().maskedProtocolFeatures();
    if (lacksInBandNeeds(upstream)) {
      breach(Rule.FEATURE_NEEDS_ANOTHER, "INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK");
    }
    need(upstream, ProtocolFeature.GET_VRING_BASE_INFLIGHT, ProtocolFeature.INFLIGHT_SHMFD);
    need(
        upstream,
        ProtocolFeature.GET_VRING_BASE_SKIP_DRAIN,
        ProtocolFeature.GET_VRING_BASE_INFLIGHT);
  }

  private void need(long told, ProtocolFeature feature, ProtocolFeature other) {
    if (feature.isIn(told) && !other.isIn(told)) {
      breach(Rule.FEATURE_NEEDS_ANOTHER, feature + " without " + other);
    }
  }

  /**
   * Returns true if back ends close the connection because of these features (specification, bit
   * 14).
   */
  static boolean lacksInBandNeeds(long protocolFeatures) {
    long needs = ProtocolFeature.maskOf(ProtocolFeature.BACKEND_REQ, ProtocolFeature.REPLY_ACK);
    return ProtocolFeature.INBAND_NOTIFICATIONS.isIn(protocolFeatures)
        && (protocolFeatures & needs) != needs;
  }

  void breach(Rule rule, String what) {
    breaches.add(new RuleBreach(rule, what));
  }
}
