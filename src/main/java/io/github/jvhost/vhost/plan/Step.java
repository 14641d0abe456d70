package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.ControlState;
import org.jspecify.annotations.Nullable;

/**
 * One thing that a back end is sent or asked, at the level of vhost. Most steps are {@link Set}:
 * the back end is to hold a value of a {@link Fact}. The others are below.
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface Step {
  /** {@link #ring} of a step that belongs to the device as a whole. */
  int NO_RING = -1;

  /** {@return the vring index of a step that belongs to one vring; else {@link #NO_RING}} */
  default int ring() {
    return NO_RING;
  }

  /**
   * The back end is to hold a value.
   *
   * @param <T> of the value
   * @param fact which one
   * @param ring vring index; {@link #NO_RING} for a fact of the device
   * @param value that it is to hold from now on
   */
  record Set<T>(Fact<T> fact, int ring, T value) implements Step {}

  /**
   * SET_VRING_ADDR, with the flag that asks for the used ring's writes to be logged: one message
   * for {@link Fact#ADDRESS} and {@link Fact#LOG_USED}.
   *
   * @param ring vring index
   * @param addresses of its parts
   * @param memory the table that gives the user addresses for them; null: they are I/O virtual
   *     addresses, and sent as they are
   * @param logUsed whether writes to the used ring are to be logged
   * @param logAddress the address to which the writes of used entries are logged: the used ring's;
   *     of a packed ring the descriptor ring's, where they are (DPDK logs them at this address and
   *     the slot's offset)
   */
  record SetRingAddress(
      int ring,
      RingAddresses addresses,
      @Nullable MemoryTable memory,
      boolean logUsed,
      long logAddress)
      implements Step {}

  /**
   * GET_VRING_BASE: stops the ring and reads where.
   *
   * @param ring vring index
   */
  record StopRing(int ring) implements Step {}

  /**
   * SET_VRING_BASE with the base at which {@link StopRing} of the same plan found the ring.
   *
   * @param ring vring index
   */
  record ResumeRing(int ring) implements Step {}

  /**
   * GET_STATUS, and the bits that have to be in the answer.
   *
   * @param required virtio status bits; 0: the answer is read and not checked, as QEMU does
   */
  record ReadStatus(int required) implements Step {}

  /**
   * ADD_MEM_REG: adds one region, where memory is sent by slots.
   *
   * @param region that is added; its file goes with the message
   */
  record AddRegion(MemoryRegion region) implements Step {}

  /**
   * REM_MEM_REG: removes one region, where memory is sent by slots.
   *
   * @param region that is removed; the back end finds it by its addresses and size
   */
  record RemoveRegion(MemoryRegion region) implements Step {}

  /**
   * IOTLB_MSG, update: the back end may use a translation.
   *
   * @param translation where it leads, and for which access
   * @param memory the table that gives the user address for it
   */
  record Translate(Translation translation, MemoryTable memory) implements Step {}

  /**
   * IOTLB_MSG, invalidate: the back end forgets each translation of an address in the range. The
   * range does not wrap.
   *
   * @param first I/O virtual address of its first byte
   * @param last of its last byte
   */
  record Invalidate(long first, long last) implements Step {}

  /**
   * A command on the control queue, which the driver does not see.
   *
   * @param command that is given, and answered
   * @param reached what the back end has been told with it; null: that is known only with a later
   *     command, and not if that one fails
   */
  record Command(ControlCommand command, @Nullable ControlState reached) implements Step {}

  /**
   * GET_INFLIGHT_FD: the back end makes a region in which it records its requests in flight.
   *
   * @param queues how many rings it has to be for
   * @param queueSize entries of the largest of them
   */
  record GetInflight(int queues, int queueSize) implements Step {}

  /**
   * SET_INFLIGHT_FD with the region that {@link GetInflight} of the same plan returned. If it
   * returned none, nothing is sent.
   */
  record ReturnInflight() implements Step {}

  /**
   * RESET_DEVICE: rings and virtio state return to their initial state; memory and ownership stay.
   */
  record ResetDevice() implements Step {}

  /** PRESETUP start. */
  record BeginPresetup() implements Step {}

  /** PRESETUP end: the back end configures its hardware with what it was sent. */
  record EndPresetup() implements Step {}
}
