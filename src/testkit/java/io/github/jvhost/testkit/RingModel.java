package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import org.jspecify.annotations.Nullable;

/**
 * What a back end knows of one ring. Mutable, for the back end's own thread; others see {@link
 * RingView}.
 */
final class RingModel {
  /** What the front end sent for an eventfd. */
  enum RingEventfd {
    UNKNOWN,
    WITHOUT_DESCRIPTOR,
    WITH_DESCRIPTOR
  }

  /** One half of a packed ring's first base: slot 0, and the initial wrap counter. */
  private static final int PACKED_START = 1 << 15;

  final int number;

  /** True if the features make the ring packed. */
  boolean packed;

  /**
   * True if the answer to GET_VRING_BASE has the used half of a packed base; false if that half is
   * zero.
   */
  boolean reportsUsed;

  int size;

  /** Split: free running, 16 bits. Packed: 15 bits of slot, and bit 15 the wrap counter. */
  int base;

  /** In the same form as {@link #base}. */
  int nextUsed;

  @Nullable VringAddress address;
  boolean translated;
  RingEventfd kick = RingEventfd.UNKNOWN;
  RingEventfd call = RingEventfd.UNKNOWN;
  boolean enabled;
  boolean started;

  /** True if it was recorded that the ring lacks only a size to start. */
  boolean missesSize;

  /** Set at a start, until the device has asked the guest for kicks. */
  boolean asksForKicks;

  RingModel(int number) {
    this.number = number;
  }

  /** Returns true if DPDK counts the ring as ready. */
  boolean ready() {
    return size > 0 && readyButForSize();
  }

  boolean readyButForSize() {
    return translated && kick != RingEventfd.UNKNOWN && call != RingEventfd.UNKNOWN && enabled;
  }

  boolean described() {
    return size > 0 && translated;
  }

  /**
   * Sets the kind of ring that the features ask for. If the kind changes, the ring's position is
   * reset.
   */
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

  /** The base as the answer to GET_VRING_BASE has it. */
  int wholeBase() {
    return packed && reportsUsed ? base | nextUsed << 16 : base;
  }

  void forgetAll() {
    size = 0;
    startOver();
    address = null;
    translated = false;
    kick = RingEventfd.UNKNOWN;
    call = RingEventfd.UNKNOWN;
    enabled = false;
  }

  RingView view() {
    return new RingView(
        number,
        size,
        wholeBase(),
        nextUsed,
        address,
        kick != RingEventfd.UNKNOWN,
        call != RingEventfd.UNKNOWN,
        enabled,
        started);
  }
}
