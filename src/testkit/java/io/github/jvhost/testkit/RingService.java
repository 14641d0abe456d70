package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Moves frames between the rings of one device and its port of the switch. RX rings have even
 * numbers. Used by one thread.
 *
 * <pre>
 *   TX chain:  | virtio-net header | frame ... |                 header: 12 bytes with VERSION_1 or MRG_RXBUF,
 *   RX chain:  | header, num_buffers = n | frame ... |           else 10 (num_buffers, the last two, is missing)
 *              | ... frame |   (n - 1 further chains, only with MRG_RXBUF)
 * </pre>
 */
final class RingService {
  private static final int MAX_FRAME = 65_550;
  private static final int MAX_BATCH = 256;
  private static final int NUM_BUFFERS_AT = 10;

  private final BackEndState state;
  private final BackEndSession session;
  private final SwitchPort port;
  private final BackEndRecord record;

  /** One writable or readable piece of guest memory. */
  private record Piece(long guestAddress, MemorySegment bytes) {}

  /** A chain that holds or receives a frame, and its pieces. */
  private record Place(DeviceRing.Chain chain, List<Piece> pieces, long capacity) {}

  RingService(BackEndSession session, SwitchPort port, BackEndRecord record) {
    this.state = session.state();
    this.session = session;
    this.port = port;
    this.record = record;
  }

  /**
   * Takes the waiting chains from a TX ring.
   *
   * @return true if more chains may wait than one call takes
   * @throws VhostException when the ring's contents are invalid; the chains taken before that are
   *     used as usual
   */
  boolean transmit(RingModel ring) {
    DeviceRing device = lookUp(ring);
    int taken = 0;
    try {
      while (taken < MAX_BATCH) {
        DeviceRing.Chain chain = device.peek();
        if (chain == null) {
          break;
        }
        byte[] frame = gather(ring, chain);
        device.use(chain, 0);
        taken++;
        send(ring, frame);
      }
    } finally {
      finish(ring, device, taken);
    }
    return taken == MAX_BATCH;
  }

  /**
   * Asks the guest for kicks. A previous device may have disabled them because it polled the ring.
   */
  void askForKicks(RingModel ring) {
    lookUp(ring).askForKicks();
  }

  private void send(RingModel ring, byte[] frame) {
    if (ring.enabled) {
      port.transmit(frame);
      record.transmitted(1);
    } else {
      record.drop(FrameDrop.TX_DISABLED, frame);
    }
  }

  private byte[] gather(RingModel ring, DeviceRing.Chain chain) {
    Place place = place(ring, chain, false);
    long total = place.capacity;
    int header = headerLength();
    if (total < header || total > MAX_FRAME) {
      throw DeviceRing.broken(ring.number, "has a frame of " + total + " bytes with its header");
    }
    byte[] packet = new byte[(int) total];
    MemorySegment to = MemorySegment.ofArray(packet);
    long at = 0;
    for (Piece piece : place.pieces) {
      MemorySegment.copy(piece.bytes, 0, to, at, piece.bytes.byteSize());
      at += piece.bytes.byteSize();
    }
    byte[] frame = new byte[packet.length - header];
    System.arraycopy(packet, header, frame, 0, frame.length);
    return frame;
  }

  /**
   * Puts a frame into an RX ring, or counts it as dropped if there is no room.
   *
   * @throws VhostException when the ring's contents are invalid
   */
  void receive(RingModel ring, byte[] frame) {
    DeviceRing device = lookUp(ring);
    int header = headerLength();
    byte[] packet = new byte[header + frame.length];
    System.arraycopy(frame, 0, packet, header, frame.length);
    List<Place> places = room(ring, device, packet.length);
    if (places.isEmpty()) {
      record.drop(FrameDrop.RX_NO_BUFFERS, frame);
      return;
    }
    if (header > NUM_BUFFERS_AT) {
      packet[NUM_BUFFERS_AT] = (byte) places.size();
      packet[NUM_BUFFERS_AT + 1] = (byte) (places.size() >> 8);
    }
    int at = 0;
    for (Place place : places) {
      int length = (int) Math.min(place.capacity, packet.length - at);
      scatter(place, packet, at, length);
      device.use(place.chain, length);
      at += length;
    }
    record.delivered(1);
    finish(ring, device, places.size());
  }

  /**
   * Returns chains with room for this many bytes, or none if the ring has not enough. Takes no
   * chain.
   */
  private List<Place> room(RingModel ring, DeviceRing device, int bytes) {
    boolean merges = NetFeature.MRG_RXBUF.in(state.features());
    List<Place> places = new ArrayList<>();
    long capacity = 0;
    while (places.isEmpty() || merges) {
      DeviceRing.Chain chain = device.peek();
      if (chain == null) {
        return List.of();
      }
      Place place = place(ring, chain, true);
      places.add(place);
      capacity += place.capacity;
      if (capacity >= bytes) {
        return places;
      }
    }
    return List.of();
  }

  /** Looks up the pieces of a chain whose descriptors must all be writable, or all readable. */
  private Place place(RingModel ring, DeviceRing.Chain chain, boolean writable) {
    List<Piece> pieces = new ArrayList<>(2);
    long capacity = 0;
    for (DeviceRing.Descriptor descriptor : chain.descriptors()) {
      if (descriptor.deviceWrites() != writable) {
        throw DeviceRing.broken(
            ring.number, "has descriptor " + descriptor.index() + " of the wrong direction");
      }
      MemorySegment bytes = session.memory().atGuest(descriptor.address(), descriptor.length());
      if (bytes == null) {
        throw DeviceRing.broken(
            ring.number, "has descriptor " + descriptor.index() + " outside of guest memory");
      }
      pieces.add(new Piece(descriptor.address(), bytes));
      capacity += descriptor.length();
    }
    return new Place(chain, pieces, capacity);
  }

  private void scatter(Place place, byte[] packet, int from, int length) {
    MemorySegment source = MemorySegment.ofArray(packet);
    int done = 0;
    for (Piece piece : place.pieces) {
      long part = Math.min(piece.bytes.byteSize(), length - done);
      if (part == 0) {
        continue;
      }
      MemorySegment.copy(source, from + done, piece.bytes, 0, part);
      record.wroteGuestMemory();
      if ((state.features() & VhostFeature.LOG_ALL) != 0) {
        session.markDirty(piece.guestAddress, part);
      }
      done += (int) part;
    }
  }

  private void finish(RingModel ring, DeviceRing device, int used) {
    if (used == 0) {
      return;
    }
    device.publish();
    if (device.wantsCall()) {
      session.signalCall(ring.number);
    }
  }

  private DeviceRing lookUp(RingModel ring) {
    return ring.packed
        ? PackedRing.of(ring, session.memory(), packedLog(ring))
        : SplitRing.of(
            ring, session.memory(), session::markDirty, (_, _) -> record.wroteGuestMemory());
  }

  /**
   * Returns where writes to a packed ring are logged. Writes to descriptors are logged like data,
   * and the log address that was sent is the device area's. DPDK uses that address for the
   * descriptors.
   */
  private PackedRing.Log packedLog(RingModel ring) {
    VringAddress told = ring.address;
    boolean logged = told != null && (told.flags() & VringAddress.LOG) != 0;
    boolean all = (state.features() & VhostFeature.LOG_ALL) != 0;
    DeviceRing.GuestWrites mark = session::markDirty;
    DeviceRing.GuestWrites ignore = (_, _) -> {};
    DeviceRing.GuestWrites count = (_, _) -> record.wroteGuestMemory();
    if (told != null && state.offer().personality().baseSetsUsed()) {
      return new PackedRing.Log(told.log(), all && logged ? mark : ignore, ignore, count);
    }
    long descriptors = told == null ? 0 : guestAddress(told.descriptor());
    return new PackedRing.Log(descriptors, all ? mark : ignore, logged ? mark : ignore, count);
  }

  private long guestAddress(long userAddress) {
    for (MemoryRegionPayload region : state.memory()) {
      long offset = userAddress - region.userAddress();
      if (offset >= 0 && offset < region.size()) {
        return region.guestAddress() + offset;
      }
    }
    return 0;
  }

  private int headerLength() {
    return NetFeature.VERSION_1.in(state.features()) || NetFeature.MRG_RXBUF.in(state.features())
        ? 12
        : 10;
  }
}
