package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.memory.MemoryTable;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * One thing that a back end is told or asked, at the level of vhost.
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface Step {

  /**
   * NET_SET_MTU.
   *
   * @param mtu in bytes
   */
  record SetMtu(int mtu) implements Step {}

  /**
   * SET_FEATURES.
   *
   * @param features those that are used, virtio's and vhost's
   */
  record SetFeatures(long features) implements Step {}

  /**
   * SET_STATUS.
   *
   * @param status the virtio status byte
   */
  record SetStatus(int status) implements Step {}

  /**
   * GET_STATUS, and the bits that have to be in the answer.
   *
   * @param required virtio status bits; 0: the answer is read and not looked at, as QEMU does
   */
  record ReadStatus(int required) implements Step {}

  /**
   * SET_MEM_TABLE: the whole table, in place of the one before.
   *
   * @param table all regions
   */
  record SetMemory(MemoryTable table) implements Step {}

  /**
   * ADD_MEM_REG: one region more, where memory is told by slots.
   *
   * @param region that is added; its file goes with the message
   */
  record AddRegion(MemoryRegion region) implements Step {}

  /**
   * REM_MEM_REG: one region less, where memory is told by slots.
   *
   * @param region that goes, known by its addresses and size
   */
  record RemoveRegion(MemoryRegion region) implements Step {}

  /**
   * GET_INFLIGHT_FD: the back end makes a region in which it notes what it has in flight.
   *
   * @param queues how many rings it has to be for
   * @param queueSize entries of the largest of them
   */
  record GetInflight(int queues, int queueSize) implements Step {}

  /**
   * SET_INFLIGHT_FD.
   *
   * @param region null: the one that {@link GetInflight} of the same plan brought; where it brought
   *     none, nothing is told
   */
  record SetInflight(@Nullable InflightRegion region) implements Step {}

  /** RESET_DEVICE: rings and virtio state to their beginnings; memory and ownership stay. */
  record ResetDevice() implements Step {}

  /**
   * SET_LOG_BASE.
   *
   * @param log the bitmap, which goes with the message
   */
  record SetLog(LogTarget log) implements Step {}

  /** PRESETUP start. */
  record BeginPresetup() implements Step {}

  /** PRESETUP end: the back end configures its hardware with what it was told. */
  record EndPresetup() implements Step {}

  /** The steps that belong to one vring. */
  sealed interface OfRing extends Step {
    /** {@return the vring index} */
    int ring();
  }

  /**
   * SET_VRING_NUM.
   *
   * @param ring vring index
   * @param size entries
   */
  record SetRingSize(int ring, int size) implements OfRing {}

  /**
   * SET_VRING_BASE.
   *
   * @param ring vring index
   * @param base in the wire's encoding; null: where {@link StopRing} of the same plan says that the
   *     ring stopped
   */
  record SetRingBase(int ring, @Nullable Integer base) implements OfRing {}

  /**
   * SET_VRING_ADDR, with the flag that asks for the used ring's writes to be logged.
   *
   * @param ring vring index
   * @param addresses guest addresses of its parts
   * @param memory the table that gives the user addresses for them
   * @param logUsed whether writes to the used ring are to be logged
   * @param logAddress guest address to which the writes of used entries are logged: the used
   *     ring's; of a packed ring the descriptor ring's, where they are (DPDK logs them at this
   *     address and the slot's offset)
   */
  record SetRingAddress(
      int ring, RingAddresses addresses, MemoryTable memory, boolean logUsed, long logAddress)
      implements OfRing {}

  /**
   * SET_VRING_KICK.
   *
   * @param ring vring index
   * @param kick guest to back end
   */
  record SetRingKick(int ring, Notifier kick) implements OfRing {}

  /**
   * SET_VRING_CALL.
   *
   * @param ring vring index
   * @param call back end to guest
   */
  record SetRingCall(int ring, Notifier call) implements OfRing {}

  /**
   * SET_VRING_ERR.
   *
   * @param ring vring index
   * @param err back end to front end
   */
  record SetRingErr(int ring, Notifier err) implements OfRing {}

  /**
   * SET_VRING_ENDIAN: the byte order of a legacy ring.
   *
   * @param ring vring index
   * @param order of the numbers in it
   */
  record SetRingOrder(int ring, ByteOrder order) implements OfRing {}

  /**
   * SET_VRING_ENABLE.
   *
   * @param ring vring index
   * @param enabled whether the queue is in use
   */
  record EnableRing(int ring, boolean enabled) implements OfRing {}

  /**
   * GET_VRING_BASE: stops the ring and reads where.
   *
   * @param ring vring index
   */
  record StopRing(int ring) implements OfRing {}
}
