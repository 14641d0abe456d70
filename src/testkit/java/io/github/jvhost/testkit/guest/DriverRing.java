package io.github.jvhost.testkit.guest;

import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a split or packed ring. The object holds only addresses: a second one that
 * is attached to a copy of the memory continues exactly where this one was.
 *
 * <pre>
 *   post --> (the device works) --> takeUsed --> (the owner reads the buffer) --> release
 *   free                taken                          taken                       free
 * </pre>
 *
 * Used by one thread at a time.
 */
sealed interface DriverRing permits SplitRing, PackedRing {
  /** A part of a chain: its address, its length, and whether the device writes it. */
  record Part(long gpa, int length, boolean deviceWrites) {}

  /**
   * A chain that the device has used: the number from {@link #post}, and how many bytes the device
   * reports as written.
   */
  record Used(int head, int length) {}

  /**
   * Lays out a ring in new memory.
   *
   * @param packed true for a packed ring
   * @param size entries; of a split ring a power of two
   * @param usable how many of the descriptors the driver uses, at most {@code size}
   */
  static DriverRing create(GuestRam ram, boolean packed, int size, int usable) {
    return packed ? PackedRing.create(ram, size, usable) : SplitRing.create(ram, size, usable);
  }

  /** Continues with a ring that is in memory. */
  static DriverRing attach(GuestRam ram, long block) {
    int kind = ram.getShort(block + RingBlock.KIND);
    return switch (kind) {
      case RingBlock.SPLIT -> SplitRing.attach(ram, block);
      case RingBlock.PACKED -> PackedRing.attach(ram, block);
      default ->
          throw ram.failure("no ring at 0x" + Long.toHexString(block) + ": it is of kind " + kind);
    };
  }

  /** Returns the address of the driver's own data, for {@link #attach}. */
  long block();

  /** Returns the number of entries. */
  int size();

  /** Returns the address of the descriptors. */
  long desc();

  /**
   * Returns the address of the driver area: the available ring, or the driver event suppression
   * structure.
   */
  long avail();

  /**
   * Returns the address of the device area: the used ring, or the device event suppression
   * structure.
   */
  long used();

  /** Returns the address behind its last part. Its parts are in one piece of memory. */
  long end();

  /** Returns how many descriptors can be posted now. */
  int freeCount();

  /**
   * Returns the number of the next chain, below the count of usable descriptors; only if one is
   * free.
   */
  int nextHead();

  /**
   * Asks the device to signal used chains, or not to. It is a hint (virtio 1.2, 2.7.7 and 2.8.10).
   */
  void wantInterrupts(boolean wanted);

  /**
   * Makes a chain available.
   *
   * @return its number, or -1 if there are too few free descriptors
   */
  int post(Part... chain);

  /** Returns true if the device wants a kick for the posted chains. */
  boolean needsKick();

  /**
   * Takes the next used chain; its descriptors are free again after {@link #release}.
   *
   * @return the chain, or null if there is none
   * @throws io.github.jvhost.VhostException when the device's entry is invalid; the ring is
   *     unchanged then
   */
  @Nullable Used takeUsed();

  /** Frees the descriptors of a chain that was taken. */
  void release(int head);
}
