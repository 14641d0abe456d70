package io.github.jvhost.testkit;

import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.testkit.RingService.Piece;
import io.github.jvhost.testkit.RingService.Place;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Frames that have their buffers in one RX ring, and are not copied there yet. A burst may be held
 * up (see {@link IotlbModel#holdsBursts()}). Used by one thread.
 */
final class RxBurst {
  private final DeviceRing device;
  private final List<Frame> frames = new ArrayList<>();
  private final List<Iotlb> invalidated = new ArrayList<>();
  private boolean stuck;
  private boolean goesOn;

  /** A frame with its header, and the chains that it goes into. */
  record Frame(MemorySegment packet, List<Place> places) {}

  RxBurst(DeviceRing device) {
    this.device = device;
  }

  DeviceRing device() {
    return device;
  }

  List<Frame> frames() {
    return frames;
  }

  void add(byte[] packet, List<Place> places) {
    frames.add(new Frame(MemorySegment.ofArray(packet), places));
  }

  /** A frame needs a translation that is missing: the burst takes no more frames. */
  void stop() {
    stuck = true;
  }

  boolean isStuck() {
    return stuck;
  }

  /** Returns whether a translation was told since the burst began. */
  boolean goesOn() {
    return goesOn;
  }

  /** A translation ends the wait. If it was invalidated before, its use is right again. */
  void translationTold(Iotlb message) {
    if (message.type() == Iotlb.INVALIDATE) {
      invalidated.add(message);
    } else {
      goesOn = true;
      invalidated.removeIf(range -> overlap(range, message.iova(), message.length()));
    }
  }

  /** Returns a piece of memory that the burst uses although it was invalidated. */
  Optional<Piece> pieceAfterInvalidation() {
    return frames.stream()
        .flatMap(frame -> frame.places.stream())
        .flatMap(place -> place.pieces().stream())
        .filter(piece ->
            invalidated.stream()
                .anyMatch(range -> overlap(range, piece.address(), piece.bytes().byteSize())))
        .findFirst();
  }

  private static boolean overlap(Iotlb range, long address, long length) {
    return Long.compareUnsigned(address, range.iova() + range.length()) < 0
        && Long.compareUnsigned(range.iova(), address + length) < 0;
  }
}
