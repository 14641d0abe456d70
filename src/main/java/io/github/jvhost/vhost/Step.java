package io.github.jvhost.vhost;

import io.github.jvhost.memory.MemoryTable;
import org.jspecify.annotations.Nullable;

/** One thing that a back end is told or asked, at the level of vhost. */
public sealed interface Step {

  /** NET_SET_MTU. */
  record SetMtu(int mtu) implements Step {}

  /** SET_FEATURES. */
  record SetFeatures(long features) implements Step {}

  /** SET_STATUS. */
  record SetStatus(int status) implements Step {}

  /**
   * GET_STATUS, and the bits that have to be in the answer.
   *
   * @param required virtio status bits; 0: the answer is read and not looked at, as QEMU does
   */
  record ReadStatus(int required) implements Step {}

  /** SET_MEM_TABLE: the whole table, in place of the one before. */
  record SetMemory(MemoryTable table) implements Step {}

  /** SET_LOG_BASE. */
  record SetLog(LogTarget log) implements Step {}

  /** PRESETUP start. */
  record BeginPresetup() implements Step {}

  /** PRESETUP end: the back end configures its hardware with what it was told. */
  record EndPresetup() implements Step {}

  /** The steps that belong to one vring. */
  sealed interface OfRing extends Step {
    /** The vring index. */
    int ring();
  }

  /** SET_VRING_NUM. */
  record SetRingSize(int ring, int size) implements OfRing {}

  /**
   * SET_VRING_BASE.
   *
   * @param base in the wire's encoding; null: where {@link StopRing} of the same plan says that the
   *     ring stopped
   */
  record SetRingBase(int ring, @Nullable Integer base) implements OfRing {}

  /** SET_VRING_ADDR, with the flag that asks for the used ring's writes to be logged. */
  record SetRingAddress(int ring, RingAddresses addresses, MemoryTable memory, boolean logUsed)
      implements OfRing {}

  /** SET_VRING_KICK. */
  record SetRingKick(int ring, Notifier kick) implements OfRing {}

  /** SET_VRING_CALL. */
  record SetRingCall(int ring, Notifier call) implements OfRing {}

  /** SET_VRING_ENABLE. */
  record EnableRing(int ring, boolean enabled) implements OfRing {}

  /** GET_VRING_BASE: stops the ring and reads where. */
  record StopRing(int ring) implements OfRing {}
}
