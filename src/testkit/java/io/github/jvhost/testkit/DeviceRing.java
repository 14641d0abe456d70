package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The device's side of a split or packed ring. The back end creates one each time it serves a ring,
 * because the memory behind the addresses may have changed and the guest may write anything. The
 * {@link RingModel} holds the device's position; this object holds only what was peeked at.
 *
 * <pre>
 *   peek, peek ...     what waits, in order; nothing is taken
 *   use, use ...       the same chains, in the same order: they are taken, and written as used
 *   publish            the guest sees all of them at once
 * </pre>
 */
sealed interface DeviceRing permits SplitRing, PackedRing {
  /** A descriptor's flag: the chain goes on. */
  int NEXT = 1;

  /** A descriptor's flag: the device writes it. */
  int WRITE = 2;

  /** A descriptor's flag: it points to a table of descriptors. */
  int INDIRECT = 4;

  /** Called for each write to guest memory. */
  @FunctionalInterface
  interface GuestWrites {
    void wrote(long guestAddress, long length);
  }

  /**
   * One descriptor, as the guest wrote it.
   *
   * @param index its place in the ring
   */
  record Descriptor(int index, long address, int length, boolean deviceWrites) {}

  /**
   * A chain that the device has not taken yet.
   *
   * @param id its number in the used ring
   * @param descriptors its descriptors, at least one
   */
  record Chain(int id, List<Descriptor> descriptors) {}

  /**
   * Returns the chain after those that were returned before, or null if there is none.
   *
   * @throws VhostException when the ring's contents are invalid
   */
  @Nullable Chain peek();

  /**
   * Takes the first chain that is not taken yet, and writes it as used with the number of bytes
   * that the device wrote. The guest sees it only after {@link #publish}.
   */
  void use(Chain chain, int length);

  /** Makes the used chains visible to the guest. */
  void publish();

  /**
   * Returns true if the guest wants a call for used chains. To be called after {@link #publish}.
   */
  boolean wantsCall();

  /** Makes the guest kick the device for each chain that it posts. */
  void askForKicks();

  /** Makes the checks that are the same for both kinds of ring, and returns the descriptor. */
  static Descriptor checked(int ring, int index, long address, int length, int flags) {
    if ((flags & INDIRECT) != 0) {
      throw broken(ring, "has an indirect descriptor, which was not negotiated");
    }
    if (length < 0) {
      throw broken(ring, "has a descriptor of " + Integer.toUnsignedString(length) + " bytes");
    }
    return new Descriptor(index, address, length, (flags & WRITE) != 0);
  }

  /** Returns the exception for a ring whose contents are invalid. */
  static VhostException broken(int ring, String why) {
    return new VhostException("serving ring " + ring + ": it " + why, Recovery.GIVE_UP);
  }
}
