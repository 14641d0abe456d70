package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.List;

/**
 * Looks at each message before it takes effect and writes down what a front end must not do in this
 * state.
 */
final class FrontEndRules {
  private final BackEndState state;
  private final List<RuleBreach> breaches;

  FrontEndRules(BackEndState state, List<RuleBreach> breaches) {
    this.state = state;
    this.breaches = breaches;
  }

  void check(FrontEndRequest request, Payload payload) {
    switch (payload) {
      case VringState ring -> checkRing(request, ring);
      case VringAddress address -> checkAddress(address);
      case VringDescriptor notifier -> checkNotifier(request, notifier);
      case U64 value -> checkNumber(request, value.value());
      default -> {
        // Memory, the log and questions may come at any time.
      }
    }
    if (request == FrontEndRequest.RESET_OWNER) {
      breach(Rule.DEPRECATED, "RESET_OWNER");
    }
  }

  private void checkRing(FrontEndRequest request, VringState told) {
    boolean started = state.isStarted(told.index());
    if (request == FrontEndRequest.SET_VRING_NUM && started) {
      breach(
          Rule.SIZE_WHILE_STARTED, "size " + told.num() + " told to started ring " + told.index());
    } else if (request == FrontEndRequest.SET_VRING_BASE && started) {
      breach(
          Rule.BASE_WHILE_STARTED, "base " + told.num() + " told to started ring " + told.index());
    } else if (request == FrontEndRequest.GET_VRING_BASE && state.isPreset()) {
      breach(
          Rule.PRESETUP_ORDER,
          "GET_VRING_BASE of ring " + told.index() + " before the final start");
    }
  }

  private void checkAddress(VringAddress told) {
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
      breach(Rule.ADDRESS_WHILE_STARTED, "addresses told to started ring " + told.index());
    }
  }

  private void checkNotifier(FrontEndRequest request, VringDescriptor told) {
    if (request != FrontEndRequest.SET_VRING_KICK) {
      return;
    }
    if (state.isStarted(told.index())) {
      breach(Rule.KICK_WHILE_STARTED, "kick told to started ring " + told.index());
    }
    if (state.isBetweenPresetupStartAndEnd() && !told.withoutDescriptor()) {
      breach(
          Rule.PRESETUP_ORDER,
          "kick with a descriptor for ring " + told.index() + " before PRESETUP end");
    }
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
      }
      case SET_PROTOCOL_FEATURES -> {
        long unknown = value & ~state.offer().offeredProtocolFeatures();
        if (unknown != 0) {
          breach(
              Rule.NOT_NEGOTIATED,
              "protocol features 0x" + Long.toHexString(unknown) + " were not offered");
        }
      }
      case SET_STATUS -> {
        if (value == 0 && state.isAnyStarted()) {
          breach(Rule.RESET_WHILE_STARTED, "status 0 told while a ring was started");
        }
        if (state.isBetweenPresetupStartAndEnd() && (value & DeviceStatus.DRIVER_OK) != 0) {
          breach(Rule.PRESETUP_ORDER, "DRIVER_OK before PRESETUP end");
        }
      }
      case PRESETUP -> {
        if (!state.hasStatus()) {
          breach(Rule.PRESETUP_WITHOUT_STATUS, "PRESETUP " + value + " without STATUS");
        }
        if (value == BackEndState.PRESETUP_END && !state.isBetweenPresetupStartAndEnd()) {
          breach(Rule.PRESETUP_ORDER, "PRESETUP end without a start");
        }
      }
      default -> {
        // No other number depends on the state.
      }
    }
  }

  void breach(Rule rule, String what) {
    breaches.add(new RuleBreach(rule, what));
  }
}
