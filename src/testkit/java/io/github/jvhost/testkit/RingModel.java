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

  /** As it was told; with an IOMMU I/O virtual addresses. */
  @Nullable VringAddress address;

  /**
   * The same as user addresses in memory that is there, and the guest address for the log; null if
   * the ring cannot be accessed.
   */
  @Nullable VringAddress mapped;

  /** Set when the ring lost its place in memory at run time; the device runs on without it. */
  boolean unmapped;

  /** Whether a message has named the ring, or one behind it. */
  boolean named;

  final RingIotlb iotlb;

  RingEventfd kick = RingEventfd.UNKNOWN;
  RingEventfd call = RingEventfd.UNKNOWN;
  boolean enabled;
  boolean started;

  /** True if it was recorded that the ring lacks only a size to start. */
  boolean missesSize;

  /** Set at a start, until the device has asked the guest for kicks. */
  boolean asksForKicks;

  RingModel(int number, IotlbModel model) {
    this.number = number;
    this.iotlb = new RingIotlb(model);
  }

  /** Returns true if DPDK counts the ring as ready. */
  boolean ready() {
    return size > 0 && readyButForSize();
  }

  boolean readyButForSize() {
    return mapped != null && isToldButForPlace();
  }

  /** Returns true if the ring is ready, or was and has lost only its place in memory. */
  boolean readyOrUnmapped() {
    return (mapped != null || unmapped) && isToldButForPlace();
  }

  private boolean isToldButForPlace() {
    return kick != RingEventfd.UNKNOWN && call != RingEventfd.UNKNOWN && enabled;
  }

  boolean described() {
    return size > 0 && mapped != null;
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
    forgetPlace();
    kick = RingEventfd.UNKNOWN;
    call = RingEventfd.UNKNOWN;
    enabled = false;
  }

  /** Forgets where the ring is. */
  void forgetPlace() {
    address = null;
    mapped = null;
    unmapped = false;
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
