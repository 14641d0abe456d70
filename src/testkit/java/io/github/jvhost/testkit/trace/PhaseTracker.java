package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.HashSet;
import java.util.Set;

/** Follows the requests of one session and assigns them to phases. Used by one thread. */
final class PhaseTracker {
  private final Set<Integer> setUp = new HashSet<>();
  private final Set<Integer> kicked = new HashSet<>();
  private final Set<Integer> enabled = new HashSet<>();
  private SessionPhase phase = SessionPhase.NEGOTIATE;
  private boolean hasStatus;
  private boolean hasEnable;
  private boolean driverOk;
  private boolean presetup;
  private boolean runs;

  /** Returns the session's current phase. */
  SessionPhase phase() {
    return phase;
  }

  /** Returns true if every ring that was set up runs, even if no later message has come yet. */
  boolean runs() {
    return runs;
  }

  /** Returns the phase of a request. */
  SessionPhase accept(CapturedMessage message) {
    FrontEndRequest request = message.request();
    if (request == null) {
      return phase;
    }
    switch (request) {
      // These requests only ask. Behind a start they are its barrier.
      case GET_FEATURES,
          GET_PROTOCOL_FEATURES,
          GET_QUEUE_NUM,
          GET_MAX_MEM_SLOTS,
          GET_STATUS,
          GET_CONFIG,
          GET_SHMEM_CONFIG,
          GET_SHARED_OBJECT,
          SET_OWNER,
          SET_BACKEND_REQ_FD -> {
        return phase;
      }
      case SET_PROTOCOL_FEATURES -> hasStatus = has(message, ProtocolFeature.STATUS.mask());
      case SET_FEATURES -> {
        hasEnable = has(message, VhostFeature.PROTOCOL_FEATURES);
        configure();
      }
      case PRESETUP -> {
        presetup = MessageDecoder.number(message) == PresetupCode.START;
        configure();
      }
      case SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR -> ringSetUp(ringOf(message));
      case SET_VRING_KICK -> kick(message);
      case SET_VRING_ENABLE -> enable(message);
      case SET_STATUS -> status((int) MessageDecoder.number(message));
      case GET_VRING_BASE, GET_VRING_BASE_SKIP_DRAIN -> {
        int ring = ringOf(message);
        kicked.remove(ring);
        setUp.remove(ring);
        stop();
      }
      case RESET_DEVICE, RESET_OWNER -> {
        kicked.clear();
        setUp.clear();
        enabled.clear();
        stop();
      }
      default -> {
        run();
        configure();
      }
    }
    return phase;
  }

  private static boolean has(CapturedMessage message, long bit) {
    return message.payload() instanceof U64(long value) && (value & bit) != 0;
  }

  private static int ringOf(CapturedMessage message) {
    return switch (message.payload()) {
      case VringState state -> state.index();
      case VringAddress address -> address.index();
      case VringDescriptor descriptor -> descriptor.index();
      default -> -1;
    };
  }

  /** Enters RUN if the start was complete before this message. */
  private void run() {
    if (runs) {
      runs = false;
      phase = SessionPhase.RUN;
    }
  }

  private void configure() {
    if (phase == SessionPhase.NEGOTIATE || phase == SessionPhase.STOP) {
      phase = SessionPhase.CONFIGURE;
    }
  }

  private void stop() {
    runs = false;
    phase = SessionPhase.STOP;
  }

  private void ringSetUp(int ring) {
    boolean another = setUp.add(ring) || !kicked.contains(ring);
    run();
    configure();
    if (phase == SessionPhase.RUN && another) {
      phase = SessionPhase.START;
    }
  }

  private void kick(CapturedMessage message) {
    run();
    int ring = ringOf(message);
    kicked.add(ring);
    boolean early =
        presetup
            || (message.payload() instanceof VringDescriptor(int _, boolean without)
                && without
                && phase != SessionPhase.RUN);
    if (early) {
      configure();
    } else if (phase != SessionPhase.RUN) {
      phase = SessionPhase.START;
    }
    complete();
  }

  private void enable(CapturedMessage message) {
    run();
    int ring = ringOf(message);
    boolean on = message.payload() instanceof VringState(int _, int num) && num == 1;
    if (on) {
      enabled.add(ring);
      if (phase == SessionPhase.STOP && kicked.contains(ring)) {
        phase = SessionPhase.START;
      } else {
        configure();
      }
    } else {
      enabled.remove(ring);
      if (phase == SessionPhase.RUN && kicked.contains(ring)) {
        stop();
      }
    }
    complete();
  }

  private void status(int status) {
    run();
    boolean before = driverOk;
    driverOk = (status & DeviceStatus.DRIVER_OK) != 0;
    if (driverOk) {
      if (phase != SessionPhase.RUN) {
        phase = SessionPhase.START;
      }
      complete();
    } else if (before) {
      stop();
    } else if (status != 0) {
      configure();
    }
  }

  /** Called when the start is complete. The message that completes it still belongs to START. */
  private void complete() {
    runs =
        phase == SessionPhase.START
            && !setUp.isEmpty()
            && kicked.containsAll(setUp)
            && (!hasEnable || enabled.containsAll(setUp))
            && (!hasStatus || driverOk);
  }
}
