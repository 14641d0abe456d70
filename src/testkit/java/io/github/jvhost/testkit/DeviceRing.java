package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The device's side of a ring of either kind. Looked up anew each time a ring is served: what lies
 * behind the addresses may have changed, and the guest may write anything. Where the device stands
 * is in the {@link RingModel}; what was only looked at is forgotten with this object.
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

  /** Learns of each write to guest memory. */
  @FunctionalInterface
  interface GuestWrites {
    void wrote(long guestAddress, long length);
  }

  /**
   * One descriptor, as the guest wrote it.
   *
   * @param index where in the ring
   */
  record Descriptor(int index, long address, int length, boolean deviceWrites) {}

  /**
   * A chain that waits.
   *
   * @param id what the guest knows it by
   * @param descriptors one at least
   */
  record Chain(int id, List<Descriptor> descriptors) {}

  /**
   * The chain behind those that were returned before, or null when no further one waits.
   *
   * @throws VhostException when the guest wrote nonsense
   */
  @Nullable Chain peek();

  /**
   * Takes the first chain that is not taken yet, and writes that so many bytes of it were written;
   * visible to the guest only after {@link #publish}.
   */
  void use(Chain chain, int length);

  /** Makes what was used visible. */
  void publish();

  /** Whether the guest wants to be told of used chains; to be asked after {@link #publish}. */
  boolean wantsCall();

  /** Makes sure that the guest notifies the device of what it posts. */
  void askForKicks();

  /** A descriptor that has passed the checks that are the same for both kinds of ring. */
  static Descriptor checked(int ring, int index, long address, int length, int flags) {
    if ((flags & INDIRECT) != 0) {
      throw broken(ring, "has an indirect descriptor, which was not negotiated");
    }
    if (length < 0) {
      throw broken(ring, "has a descriptor of " + Integer.toUnsignedString(length) + " bytes");
    }
    return new Descriptor(index, address, length, (flags & WRITE) != 0);
  }

  /** The guest wrote nonsense into a ring. */
  static VhostException broken(int ring, String why) {
    return new VhostException("serving ring " + ring + ": it " + why, Recovery.GIVE_UP);
  }
}
