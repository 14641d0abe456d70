package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.SplitRing.Descriptor;
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

  /** A chain that a frame goes into: its head and its writable pieces. */
  private record Chain(int head, List<Piece> pieces, long capacity) {}

  RingService(BackEndSession session, SwitchPort port, BackEndRecord record) {
    this.state = session.state();
    this.session = session;
    this.port = port;
    this.record = record;
  }

  /**
   * Takes what waits in a TX ring.
   *
   * @return whether more may wait than one turn takes
   * @throws VhostException when the guest wrote nonsense; what was taken before is used up properly
   */
  boolean transmit(RingModel ring) {
    SplitRing split = lookUp(ring);
    int waiting = split.waiting(ring.base);
    int batch = Math.min(waiting, MAX_BATCH);
    int taken = 0;
    try {
      while (taken < batch) {
        int head = split.head(ring.base);
        byte[] frame = gather(ring, split, head);
        split.use(ring.nextUsed, head, 0);
        ring.base = ring.base + 1 & 0xffff;
        ring.nextUsed = ring.nextUsed + 1 & 0xffff;
        taken++;
        send(ring, frame);
      }
    } finally {
      finish(ring, split, taken);
    }
    return waiting > batch;
  }

  private void send(RingModel ring, byte[] frame) {
    if (ring.enabled) {
      port.transmit(frame);
      record.transmitted(1);
    } else {
      record.drop(FrameDrop.TX_DISABLED, frame);
    }
  }

  private byte[] gather(RingModel ring, SplitRing split, int head) {
    List<Piece> pieces = chain(ring, split, head, 0).pieces();
    long total = pieces.stream().mapToLong(piece -> piece.bytes.byteSize()).sum();
    int header = headerLength();
    if (total < header || total > MAX_FRAME) {
      throw SplitRing.broken(ring.number, "has a frame of " + total + " bytes with its header");
    }
    byte[] packet = new byte[(int) total];
    MemorySegment to = MemorySegment.ofArray(packet);
    long at = 0;
    for (Piece piece : pieces) {
      MemorySegment.copy(piece.bytes, 0, to, at, piece.bytes.byteSize());
      at += piece.bytes.byteSize();
    }
    byte[] frame = new byte[packet.length - header];
    System.arraycopy(packet, header, frame, 0, frame.length);
    return frame;
  }

  /**
   * Puts a frame into an RX ring, or counts it as dropped when there is no room.
   *
   * @throws VhostException when the guest wrote nonsense
   */
  void receive(RingModel ring, byte[] frame) {
    SplitRing split = lookUp(ring);
    int header = headerLength();
    byte[] packet = new byte[header + frame.length];
    System.arraycopy(frame, 0, packet, header, frame.length);
    List<Chain> chains = room(ring, split, packet.length);
    if (chains.isEmpty()) {
      record.drop(FrameDrop.RX_NO_BUFFERS, frame);
      return;
    }
    if (header > NUM_BUFFERS_AT) {
      packet[NUM_BUFFERS_AT] = (byte) chains.size();
      packet[NUM_BUFFERS_AT + 1] = (byte) (chains.size() >> 8);
    }
    int at = 0;
    for (Chain chain : chains) {
      int length = (int) Math.min(chain.capacity, packet.length - at);
      scatter(chain, packet, at, length);
      split.use(ring.nextUsed, chain.head, length);
      ring.base = ring.base + 1 & 0xffff;
      ring.nextUsed = ring.nextUsed + 1 & 0xffff;
      at += length;
    }
    record.delivered(1);
    finish(ring, split, chains.size());
  }

  /** The chains that hold so many bytes; none where they do not. Nothing is taken yet. */
  private List<Chain> room(RingModel ring, SplitRing split, int bytes) {
    int waiting = split.waiting(ring.base);
    int most = NetFeature.MRG_RXBUF.in(state.features()) ? waiting : Math.min(waiting, 1);
    List<Chain> chains = new ArrayList<>();
    long capacity = 0;
    while (chains.size() < most) {
      int head = split.head(ring.base + chains.size() & 0xffff);
      Chain chain = chain(ring, split, head, Descriptor.WRITE);
      chains.add(chain);
      capacity += chain.capacity;
      if (capacity >= bytes) {
        return chains;
      }
    }
    return List.of();
  }

  /** Walks a chain whose descriptors must all be writable, or all readable. */
  private Chain chain(RingModel ring, SplitRing split, int head, int direction) {
    List<Piece> pieces = new ArrayList<>(2);
    long capacity = 0;
    int index = head;
    while (true) {
      Descriptor descriptor = split.descriptor(index);
      if ((descriptor.flags() & Descriptor.WRITE) != direction) {
        throw SplitRing.broken(ring.number, "has descriptor " + index + " of the wrong direction");
      }
      MemorySegment bytes = session.memory().atGuest(descriptor.address(), descriptor.length());
      if (bytes == null) {
        throw SplitRing.broken(ring.number, "has descriptor " + index + " outside of guest memory");
      }
      pieces.add(new Piece(descriptor.address(), bytes));
      capacity += descriptor.length();
      if ((descriptor.flags() & Descriptor.NEXT) == 0) {
        return new Chain(head, pieces, capacity);
      }
      if (pieces.size() >= ring.size) {
        throw SplitRing.broken(ring.number, "has a chain without an end");
      }
      index = descriptor.next();
    }
  }

  private void scatter(Chain chain, byte[] packet, int from, int length) {
    MemorySegment source = MemorySegment.ofArray(packet);
    int done = 0;
    for (Piece piece : chain.pieces) {
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

  private void finish(RingModel ring, SplitRing split, int used) {
    if (used == 0) {
      return;
    }
    split.publish(ring.nextUsed);
    if (split.wantsCall()) {
      session.signalCall(ring.number);
    }
  }

  private SplitRing lookUp(RingModel ring) {
    return SplitRing.of(
        ring, session.memory(), session::markDirty, (_, _) -> record.wroteGuestMemory());
  }

  private int headerLength() {
    return NetFeature.VERSION_1.in(state.features()) || NetFeature.MRG_RXBUF.in(state.features())
        ? 12
        : 10;
  }
}
