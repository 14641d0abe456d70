package io.github.jvhost.testkit;

import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import java.util.BitSet;

/**
 * The messages about the device as a whole that change no ring's state: configuration space,
 * in-flight regions, the device's own state, translations, what is shared, byte order.
 */
final class DeviceMessages {
  private final BackEndState state;
  private final BackEndDevice device;
  private final BitSet bigEndian = new BitSet();

  DeviceMessages(BackEndState state, BackEndDevice device) {
    this.state = state;
    this.device = device;
  }

  boolean isBigEndian(int ring) {
    return bigEndian.get(ring);
  }

  void reset() {
    bigEndian.clear();
  }

  Outcome take(FrontEndRequest request, Payload payload) {
    return switch (payload) {
      case ConfigSpace piece -> takeConfig(request, piece);
      case Inflight region -> takeInflight(request, region);
      case DeviceStateTransfer transfer -> {
        if (state.isAnyStarted()) {
          yield Outcome.failed("the device's state while a ring is started");
        }
        boolean own = device.hasOwnPipe();
        state.effect(new Effect.StateTransferBegun(transfer.direction(), own));
        yield Outcome.answered(new U64(own ? 0 : DeviceStateTransfer.NO_DESCRIPTOR));
      }
      case Iotlb message -> state.translations().take(message);
      case SharedObject object -> {
        if (!device.shares(object.uuid())) {
          yield Outcome.failed("no object " + object.uuid());
        }
        state.effect(new Effect.ObjectGiven(object.uuid()));
        yield Outcome.answered(new U64(0));
      }
      default ->
          switch (request) {
            case GET_SHMEM_CONFIG -> Outcome.answered(device.sharedMemory());
            // BackEndSession replaces this answer if the transfer failed.
            case CHECK_DEVICE_STATE -> Outcome.answered(new U64(0));
            default -> state.unknown("request " + request);
          };
    };
  }

  private Outcome takeConfig(FrontEndRequest request, ConfigSpace piece) {
    if (request == FrontEndRequest.GET_CONFIG) {
      return Outcome.answered(
          new ConfigSpace(
              piece.offset(), piece.flags(), device.read(piece.offset(), piece.content().size())));
    }
    return device.write(piece)
        ? Outcome.done()
        : Outcome.failed("a field of the configuration space that drivers only read");
  }

  private Outcome takeInflight(FrontEndRequest request, Inflight told) {
    boolean packed = NetFeature.RING_PACKED.in(state.features());
    if (told.queues() < 1
        || told.queues() > state.offer().rings()
        || told.queueSize() < 1
        || told.queueSize() > InflightLayout.MAX_QUEUE_SIZE) {
      return Outcome.failed(
          "in-flight regions for " + told.queues() + " rings of " + told.queueSize() + " entries");
    }
    InflightLayout layout = new InflightLayout(packed, told.queues(), told.queueSize());
    if (request == FrontEndRequest.GET_INFLIGHT_FD) {
      state.effect(new Effect.InflightMade(layout));
      return Outcome.answered(new Inflight(layout.bytes(), 0, told.queues(), told.queueSize()));
    }
    if (told.mmapSize() < layout.bytes()) {
      return Outcome.failed(
          "an in-flight region of " + told.mmapSize() + " bytes, " + layout + " needs more");
    }
    state.effect(new Effect.InflightTaken(layout, told.mmapOffset()));
    return Outcome.done();
  }

  Outcome takeRing(FrontEndRequest request, RingModel ring, VringState told) {
    return switch (request) {
      case SET_VRING_ENDIAN -> {
        if (told.num() != 0 && told.num() != 1) {
          yield Outcome.failed("a byte order of " + told.num());
        }
        bigEndian.set(ring.number, told.num() == 1);
        yield Outcome.done();
      }
      case VRING_KICK -> {
        state.effect(new Effect.KickedInBand(ring.number));
        yield state.ringSet().takeNumber(request, ring, told.num());
      }
      // This back end has no requests in flight, so there is nothing to drain.
      case GET_VRING_BASE_SKIP_DRAIN ->
          state.ringSet().takeNumber(FrontEndRequest.GET_VRING_BASE, ring, told.num());
      default -> state.ringSet().takeNumber(request, ring, told.num());
    };
  }
}
