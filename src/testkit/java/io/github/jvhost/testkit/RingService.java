package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Moves frames between the rings of one device and its port of the switch. RX rings have even
 * numbers. Used by one thread.
 *
 * <pre>
 *   TX chain:  | virtio-net header | frame ... |                 header: 12 bytes with VERSION_1 or MRG_RXBUF,
 *   RX chain:  | header, num_buffers = n | frame ... |           else 10 (num_buffers, the last two, is missing)
 *              | ... frame |   (n - 1 further chains, only with MRG_RXBUF)
 *
 *   no translation of a buffer:   TX: the chain waits        RX: the frame is lost
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
  // By the number of the ring; empty unless bursts are held up.
  private final Map<Integer, RxBurst> bursts = new HashMap<>();

  /** One writable or readable piece of guest memory, and where the driver says that it is. */
  record Piece(long address, long guestAddress, MemorySegment bytes) {}

  /** A chain that holds or receives a frame, and its pieces. */
  record Place(DeviceRing.Chain chain, List<Piece> pieces, long capacity) {}

  RingService(BackEndSession session, BackEndState state, SwitchPort port, BackEndRecord record) {
    this.state = state;
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
        if (frame == null) {
          // The chain waits. The session looks at the ring again when a message has come.
          break;
        }
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

  /** Returns the frame of a chain, or null if a translation is missing. */
  private byte @Nullable [] gather(RingModel ring, DeviceRing.Chain chain) {
    Place place = place(ring, chain, false);
    if (place == null) {
      return null;
    }
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
   * Puts a frame into an RX ring, or counts it as dropped if there is no room or a translation is
   * missing.
   *
   * @throws VhostException when the ring's contents are invalid
   */
  void receive(RingModel ring, byte[] frame) {
    RxBurst burst = bursts.get(ring.number);
    if (burst != null && burst.isStuck()) {
      record.drop(FrameDrop.RX_NOT_TRANSLATED, frame);
      return;
    }
    burst = burst == null ? new RxBurst(lookUp(ring)) : burst;
    int header = headerLength();
    byte[] packet = new byte[header + frame.length];
    System.arraycopy(frame, 0, packet, header, frame.length);
    List<Place> places = room(ring, burst.device(), packet.length);
    if (places == null) {
      record.drop(FrameDrop.RX_NOT_TRANSLATED, frame);
      burst.stop();
    } else if (places.isEmpty()) {
      record.drop(FrameDrop.RX_NO_BUFFERS, frame);
    } else {
      if (header > NUM_BUFFERS_AT) {
        packet[NUM_BUFFERS_AT] = (byte) places.size();
        packet[NUM_BUFFERS_AT + 1] = (byte) (places.size() >> 8);
      }
      burst.add(packet, places);
    }
    if (holdsBursts() && !burst.frames().isEmpty()) {
      bursts.put(ring.number, burst);
    } else {
      var _ = bursts.remove(ring.number);
      end(ring, burst);
    }
  }

  /** Returns whether a burst waits for a translation. No more frames are taken from the port. */
  boolean isStuck() {
    return bursts.values().stream().anyMatch(RxBurst::isStuck);
  }

  /** Called at the end of a turn: ends the bursts that are not held up any more. */
  void endTurn() {
    for (int ring : List.copyOf(bursts.keySet())) {
      RxBurst burst = Objects.requireNonNull(bursts.get(ring));
      if (burst.goesOn()) {
        var _ = bursts.remove(ring);
        burst.pieceAfterInvalidation().ifPresent(piece -> state.usedAfterInvalidation(ring, piece));
        end(state.model(ring), burst);
      }
    }
  }

  /** Called before a message is handled: it waits for the bursts of the rings that it locks. */
  void beforeMessage(FrontEndRequest request, Payload payload) {
    for (int ring : List.copyOf(bursts.keySet())) {
      if (locks(state.model(ring), request, payload)) {
        end(state.model(ring), Objects.requireNonNull(bursts.remove(ring)));
      }
    }
  }

  private boolean locks(RingModel ring, FrontEndRequest request, Payload payload) {
    return switch (payload) {
      case VringState told -> told.index() == ring.number;
      case VringAddress told -> told.index() == ring.number;
      case VringDescriptor told -> told.index() == ring.number;
      case Iotlb message -> state.translations().touches(ring, message);
      default ->
          switch (request) {
            case SET_OWNER,
                SET_FEATURES,
                SET_MEM_TABLE,
                ADD_MEM_REG,
                REM_MEM_REG,
                SET_LOG_BASE,
                RESET_OWNER,
                RESET_DEVICE ->
                true;
            // Questions and the status take no ring's lock.
            default -> false;
          };
    };
  }

  /** Called when a translation was taken or removed. */
  void translationTold(Iotlb message) {
    bursts.values().forEach(burst -> burst.translationTold(message));
  }

  private boolean holdsBursts() {
    return state.offer().iotlb().holdsBursts();
  }

  private void end(RingModel ring, RxBurst burst) {
    int used = 0;
    for (RxBurst.Frame frame : burst.frames()) {
      long at = 0;
      for (Place place : frame.places()) {
        long length = Math.min(place.capacity, frame.packet().byteSize() - at);
        scatter(place, frame.packet(), at, length);
        burst.device().use(place.chain, (int) length);
        at += length;
        used++;
      }
      record.delivered(1);
    }
    finish(ring, burst.device(), used);
  }

  /**
   * Returns chains with room for this many bytes, or none if the ring has not enough, or null if a
   * translation is missing. Takes no chain.
   */
  private @Nullable List<Place> room(RingModel ring, DeviceRing device, int bytes) {
    boolean merges = NetFeature.MRG_RXBUF.in(state.features());
    List<Place> places = new ArrayList<>();
    long capacity = 0;
    while (places.isEmpty() || merges) {
      DeviceRing.Chain chain = device.peek();
      if (chain == null) {
        return List.of();
      }
      Place place = place(ring, chain, true);
      if (place == null) {
        return null;
      }
      places.add(place);
      capacity += place.capacity;
      if (capacity >= bytes) {
        return places;
      }
    }
    return List.of();
  }

  /**
   * Looks up the pieces of a chain whose descriptors must all be writable, or all readable. Returns
   * null if a translation is missing, which it asks for.
   */
  private @Nullable Place place(RingModel ring, DeviceRing.Chain chain, boolean writable) {
    List<Piece> pieces = new ArrayList<>(2);
    long capacity = 0;
    for (DeviceRing.Descriptor descriptor : chain.descriptors()) {
      if (descriptor.deviceWrites() != writable) {
        throw DeviceRing.broken(
            ring.number, "has descriptor " + descriptor.index() + " of the wrong direction");
      }
      if (!addPieces(ring, descriptor, pieces)) {
        return null;
      }
      capacity += descriptor.length();
    }
    return new Place(chain, pieces, capacity);
  }

  /** Returns false if a translation is missing. */
  private boolean addPieces(RingModel ring, DeviceRing.Descriptor descriptor, List<Piece> pieces) {
    long address = descriptor.address();
    if (!state.translations().active()) {
      MemorySegment bytes = session.memory().atGuest(address, descriptor.length());
      pieces.add(new Piece(address, address, inMemory(ring, descriptor, bytes)));
      return true;
    }
    // DPDK reads and writes what it receives into.
    Access access = descriptor.deviceWrites() ? Access.READ_WRITE : Access.READ;
    List<RingIotlb.Piece> found =
        ring.iotlb.find(
            address, descriptor.length(), access, miss -> session.missed(ring.number, miss));
    for (RingIotlb.Piece piece : found) {
      MemorySegment bytes = session.memory().atUser(piece.userAddress(), piece.length());
      long guest = state.translations().guestAddressOf(piece.userAddress());
      pieces.add(new Piece(address, guest, inMemory(ring, descriptor, bytes)));
      address += piece.length();
    }
    return !found.isEmpty() || descriptor.length() == 0;
  }

  private static MemorySegment inMemory(
      RingModel ring, DeviceRing.Descriptor descriptor, @Nullable MemorySegment bytes) {
    if (bytes == null) {
      throw DeviceRing.broken(
          ring.number, "has descriptor " + descriptor.index() + " outside of guest memory");
    }
    return bytes;
  }

  private void scatter(Place place, MemorySegment packet, long from, long length) {
    long done = 0;
    for (Piece piece : place.pieces) {
      long part = Math.min(piece.bytes.byteSize(), length - done);
      if (part == 0) {
        continue;
      }
      MemorySegment.copy(packet, from + done, piece.bytes, 0, part);
      record.wroteGuestMemory();
      if ((state.features() & VhostFeature.LOG_ALL) != 0) {
        session.markDirty(piece.guestAddress, part);
      }
      done += part;
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
    VringAddress told = ring.mapped;
    boolean logged = told != null && (told.flags() & VringAddress.LOG) != 0;
    boolean all = (state.features() & VhostFeature.LOG_ALL) != 0;
    DeviceRing.GuestWrites mark = session::markDirty;
    DeviceRing.GuestWrites ignore = (_, _) -> {};
    DeviceRing.GuestWrites count = (_, _) -> record.wroteGuestMemory();
    if (told != null && state.offer().personality().baseSetsUsed()) {
      return new PackedRing.Log(told.log(), all && logged ? mark : ignore, ignore, count);
    }
    long descriptors = told == null ? 0 : state.translations().guestAddressOf(told.descriptor());
    return new PackedRing.Log(descriptors, all ? mark : ignore, logged ? mark : ignore, count);
  }

  private int headerLength() {
    return NetFeature.VERSION_1.in(state.features()) || NetFeature.MRG_RXBUF.in(state.features())
        ? 12
        : 10;
  }
}
