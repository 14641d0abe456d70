package io.github.jvhost.mediate;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.FileStat;
import io.github.jvhost.vhost.plan.LogTarget;
import io.github.jvhost.vhost.plan.RingEventfd;
import io.github.jvhost.virtio.DeviceStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/**
 * What each message of a front end means for the mediator. It puts what the message says into the
 * {@link FrontEndDevice}, and returns what else is to be done.
 *
 * <pre>
 *   GET_FEATURES GET_PROTOCOL_FEATURES GET_QUEUE_NUM GET_STATUS     answered here
 *   SET_OWNER SET_PROTOCOL_FEATURES                                 noted; the switch was told when
 *                                                                   the mediator connected to it
 *   SET_FEATURES SET_MEM_TABLE SET_LOG_BASE NET_SET_MTU             kept; the switch is told when the
 *   SET_VRING_NUM ADDR BASE KICK CALL ERR ENABLE                    device starts, or at once if it runs
 *   SET_STATUS                                                      kept; DRIVER_OK starts, 0 stops
 *   GET_VRING_BASE                                                  stops the device; answered with
 *                                                                   what the switch has answered
 *   SEND_RARP                                                       passed on at once
 *   any other                                                       not offered: the connection ends
 * </pre>
 *
 * <p>It trusts nothing that the front end sends. One thread at a time.
 */
final class FrontEndMessages {
  private static final int MAC_BYTES = 6;
  private static final int MOST_ENTRIES = 32768;
  private static final int MOST_RINGS = 256;
  private static final int LEAST_MTU = 68;
  private static final int MOST_MTU = 65535;

  private final FrontEndDevice device;
  private Offer offer;

  /** Features that were offered on this connection by any switch: the front end may take them. */
  private long offered;

  private long protocolFeatures;

  FrontEndMessages(FrontEndDevice device, Offer offer) {
    this.device = device;
    this.offer = offer;
    this.offered = offer.features();
  }

  /** {@return whether a switch that serves the device may be told something because of this} */
  static boolean maySwitchBeTold(FrontEndRequest request) {
    return switch (request) {
      case GET_FEATURES, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_STATUS -> false;
      default -> true;
    };
  }

  /** Another switch serves the device. A front end that asks anew is offered what that one has. */
  void offer(Offer now) {
    offer = now;
    offered |= now.features();
  }

  /** {@return the protocol features that the front end has acknowledged, as bits} */
  long protocolFeatures() {
    return protocolFeatures;
  }

  /** {@return whether the front end says by the status byte when the device runs} */
  boolean hasStatus() {
    return ProtocolFeature.STATUS.isIn(protocolFeatures);
  }

  /** Goes on with a front end that an earlier process has served. */
  void acknowledged(long bits) {
    protocolFeatures = bits;
  }

  /**
   * Takes one message.
   *
   * @param request what it is
   * @param payload its body, decoded and in its ranges
   * @param files that came with it, as many as the message needs; taken over, also if this throws
   * @return what is to be done
   * @throws ProtocolException if the front end may not send this
   */
  Action take(FrontEndRequest request, Payload payload, List<OwnedDescriptor> files) {
    boolean taken = false;
    try {
      Action action = apply(request, payload, files);
      taken = true;
      return action;
    } finally {
      if (!taken) {
        files.forEach(OwnedDescriptor::close);
      }
    }
  }

  private Action apply(FrontEndRequest request, Payload payload, List<OwnedDescriptor> files) {
    return switch (request) {
      case GET_FEATURES -> new Action.Answer(new U64(offer.features()));
      case GET_PROTOCOL_FEATURES -> new Action.Answer(new U64(offer.protocolFeatures()));
      case GET_QUEUE_NUM -> new Action.Answer(new U64(offer.queuePairs()));
      case GET_STATUS -> new Action.Answer(new U64(device.status()));
      case SET_OWNER -> new Action.Noted();
      case SET_PROTOCOL_FEATURES -> acknowledge(number(payload));
      case SET_FEATURES -> features(number(payload));
      case NET_SET_MTU -> mtu(number(payload));
      case SET_MEM_TABLE -> memory(payload, files);
      case SET_LOG_BASE -> log(payload, files);
      case SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE -> ring(request, payload);
      case SET_VRING_ADDR -> address(payload);
      case SET_VRING_KICK -> signal(FrontEndDevice.Signal.KICK, payload, files);
      case SET_VRING_CALL -> signal(FrontEndDevice.Signal.CALL, payload, files);
      case SET_VRING_ERR -> signal(FrontEndDevice.Signal.ERR, payload, files);
      case SET_STATUS -> status(number(payload));
      case GET_VRING_BASE -> new Action.Stop(state(payload).index());
      case SEND_RARP -> announce(number(payload));
      default ->
          throw new ProtocolException(
              "the front end sent " + request + ", which the mediator does not offer");
    };
  }

  private Action acknowledge(long bits) {
    if ((bits & ~offer.protocolFeatures()) != 0) {
      throw new ProtocolException(
          "the front end acknowledged protocol features that were not offered: "
              + ProtocolFeature.describe(bits & ~offer.protocolFeatures()));
    }
    protocolFeatures = bits;
    return new Action.Noted();
  }

  private Action features(long bits) {
    if ((bits & ~offered) != 0) {
      throw new ProtocolException(
          "the front end acknowledged features that were not offered: 0x"
              + Long.toHexString(bits & ~offered));
    }
    device.features(bits);
    return new Action.Changed();
  }

  private Action mtu(long bytes) {
    if (bytes < LEAST_MTU || bytes > MOST_MTU) {
      throw new ProtocolException("the front end set an MTU of " + Long.toUnsignedString(bytes));
    }
    device.mtu((int) bytes);
    return new Action.Changed();
  }

  private Action memory(Payload payload, List<OwnedDescriptor> files) {
    device.putAside(device.memory().replace((MemoryTablePayload) payload, files));
    return new Action.Changed();
  }

  private Action log(Payload payload, List<OwnedDescriptor> files) {
    LogRegion region = (LogRegion) payload;
    if (files.isEmpty()) {
      throw new ProtocolException("the front end sent SET_LOG_BASE without a file");
    }
    OwnedDescriptor file = files.getFirst();
    long size = FileStat.of(file).size();
    if (region.offset() != 0 || region.bytes() > size) {
      throw new ProtocolException(
          "the front end's dirty log has %d bytes at %d of a file of %d bytes; it has to begin at 0"
              .formatted(region.bytes(), region.offset(), size));
    }
    device.dirtyLog(new LogTarget(file, region.bytes()));
    return new Action.ChangedAndAnswered();
  }

  private Action ring(FrontEndRequest request, Payload payload) {
    VringState state = state(payload);
    switch (request) {
      case SET_VRING_NUM -> {
        if (state.num() < 1 || state.num() > MOST_ENTRIES) {
          throw new ProtocolException(
              "the front end set ring %d to %s entries"
                  .formatted(state.index(), Integer.toUnsignedString(state.num())));
        }
        device.size(state.index(), state.num());
      }
      case SET_VRING_BASE -> device.base(state.index(), state.num());
      default -> device.enabled(state.index(), state.num() != 0);
    }
    return new Action.Changed();
  }

  private Action address(Payload payload) {
    VringAddress address = (VringAddress) payload;
    device.address(index(address.index()), address);
    return new Action.Changed();
  }

  private Action signal(FrontEndDevice.Signal which, Payload payload, List<OwnedDescriptor> files) {
    VringDescriptor ring = (VringDescriptor) payload;
    device.signal(
        index(ring.index()),
        which,
        ring.withoutDescriptor() ? new RingEventfd.NoFd() : new RingEventfd.Fd(files.getFirst()));
    return new Action.Changed();
  }

  private Action status(long value) {
    if (value < 0 || value > 0xff) {
      throw new ProtocolException("the front end set the status to 0x" + Long.toHexString(value));
    }
    boolean ran = (device.status() & DeviceStatus.DRIVER_OK) != 0;
    device.status((int) value);
    if (value == 0) {
      return new Action.Reset();
    }
    boolean runs = (value & DeviceStatus.DRIVER_OK) != 0;
    return runs && !ran ? new Action.Start() : new Action.Noted();
  }

  private static Action announce(long word) {
    byte[] bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(word).array();
    return new Action.Announce(Arrays.copyOf(bytes, MAC_BYTES));
  }

  private static long number(Payload payload) {
    return ((U64) payload).value();
  }

  private static VringState state(Payload payload) {
    VringState state = (VringState) payload;
    index(state.index());
    return state;
  }

  private static int index(int ring) {
    if (ring < 0 || ring >= MOST_RINGS) {
      throw new ProtocolException("the front end named ring " + Integer.toUnsignedString(ring));
    }
    return ring;
  }
}
