package io.github.jvhost.testkit.guest;

import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a ring of either kind. The object itself holds nothing but addresses: a
 * second one, attached to a copy of the memory, goes on exactly where this one stood.
 *
 * <pre>
 *   post --> (the device works) --> takeUsed --> (the owner reads the buffer) --> release
 *   free                taken                          taken                       free
 * </pre>
 *
 * For one thread at a time.
 */
sealed interface DriverRing permits SplitRing, PackedRing {
  /** A part of a chain: where, how long, and whether the device writes it. */
  record Part(long gpa, int length, boolean deviceWrites) {}

  /**
   * A chain that the device is done with: the number that {@link #post} gave it, and how many bytes
   * the device says that it wrote.
   */
  record Used(int head, int length) {}

  /**
   * Lays out a ring in new memory.
   *
   * @param packed of which kind
   * @param size entries; of a split ring a power of two
   * @param usable how many of the descriptors are ever used, at most {@code size}
   */
  static DriverRing create(GuestRam ram, boolean packed, int size, int usable) {
    return packed ? PackedRing.create(ram, size, usable) : SplitRing.create(ram, size, usable);
  }

  /** Goes on with a ring that is in memory already. */
  static DriverRing attach(GuestRam ram, long block) {
    int kind = ram.getShort(block + RingBlock.KIND);
    return switch (kind) {
      case RingBlock.SPLIT -> SplitRing.attach(ram, block);
      case RingBlock.PACKED -> PackedRing.attach(ram, block);
      default ->
          throw ram.failure("no ring at 0x" + Long.toHexString(block) + ": it is of kind " + kind);
    };
  }

  /** Where the driver's own notes are, to attach to. */
  long block();

  /** Entries. */
  int size();

  /** Where the descriptors are. */
  long desc();

  /** Where the driver area is: the available ring, or the driver event suppression structure. */
  long avail();

  /** Where the device area is: the used ring, or the device event suppression structure. */
  long used();

  /** Descriptors that can be posted now. */
  int freeCount();

  /** The number that the next chain will have, below the usable ones; only when one is free. */
  int nextHead();

  /** Whether the device shall signal what it used: a hint (virtio 1.2, 2.7.7 and 2.8.10). */
  void wantInterrupts(boolean wanted);

  /**
   * Makes a chain available.
   *
   * @return its number, or -1 when there are too few free descriptors
   */
  int post(Part... chain);

  /** Whether the device wants to be notified of what was posted. */
  boolean needsKick();

  /**
   * Takes the next chain that the device is done with; it stays taken until {@link #release}.
   *
   * @return null when there is none
   * @throws io.github.jvhost.VhostException when what the device wrote makes no sense; nothing
   *     moved then
   */
  @Nullable Used takeUsed();

  /** Gives back what a chain had that was taken. */
  void release(int head);
}
