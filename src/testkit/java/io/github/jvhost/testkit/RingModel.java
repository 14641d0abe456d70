package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import org.jspecify.annotations.Nullable;

/**
 * What a back end knows of one ring. Mutable, for the back end's own thread; others see {@link
 * RingView}.
 */
final class RingModel {
  /** What was told of a notifier. */
  enum Notifier {
    UNKNOWN,
    WITHOUT_DESCRIPTOR,
    WITH_DESCRIPTOR
  }

  /** The half of a packed ring's base: slot 0, and the wrap counter as it begins. */
  private static final int PACKED_START = 1 << 15;

  final int number;

  /** Whether the ring is packed, as the features say. */
  boolean packed;

  /** Whether the used half of a packed base is told truly, or left zero. */
  boolean tellsUsed;

  int size;

  /** Split: free running, 16 bits. Packed: 15 bits of slot, and bit 15 the wrap counter. */
  int base;

  /** Of the same form. */
  int nextUsed;

  @Nullable VringAddress address;
  boolean translated;
  Notifier kick = Notifier.UNKNOWN;
  Notifier call = Notifier.UNKNOWN;
  boolean enabled;
  boolean started;

  /** Whether it was noted that the ring has all that starts it but a size. */
  boolean missesSize;

  /** Set at a start, until the guest was asked to notify. */
  boolean fresh;

  RingModel(int number) {
    this.number = number;
  }

  /** DPDK's test for a ring that may be part of a running device. */
  boolean ready() {
    return size > 0 && readyButForSize();
  }

  boolean readyButForSize() {
    return translated && kick != Notifier.UNKNOWN && call != Notifier.UNKNOWN && enabled;
  }

  boolean described() {
    return size > 0 && translated;
  }

  /** The features say what kind of ring it is: with another kind it begins anew. */
  void isPacked(boolean now) {
    if (packed != now) {
      packed = now;
      startOver();
    }
  }

  private void startOver() {
    base = packed ? PACKED_START : 0;
    nextUsed = base;
  }

  /** The base as GET_VRING_BASE tells it. */
  int wholeBase() {
    return packed && tellsUsed ? base | nextUsed << 16 : base;
  }

  void forgetAll() {
    size = 0;
    startOver();
    address = null;
    translated = false;
    kick = Notifier.UNKNOWN;
    call = Notifier.UNKNOWN;
    enabled = false;
  }

  RingView view() {
    return new RingView(
        number,
        size,
        wholeBase(),
        nextUsed,
        address,
        kick != Notifier.UNKNOWN,
        call != Notifier.UNKNOWN,
        enabled,
        started);
  }
}
