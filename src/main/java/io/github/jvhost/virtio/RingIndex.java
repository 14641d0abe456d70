package io.github.jvhost.virtio;

/**
 * The position of a device in a ring: the next entry that it takes. For a packed ring also the next
 * entry that it uses, and a wrap counter for each.
 *
 * <pre>
 *   split    15            0         next available index, free running modulo 65536
 *           +---------------+        (the used index is in guest memory)
 *           |     avail     |
 *           +---------------+
 *   packed   31  30       16  15  14        0
 *           +---+-----------+---+------------+   w = wrap counter
 *           | w |   used    | w |   avail    |   indexes are below the ring's size
 *           +---+-----------+---+------------+
 * </pre>
 *
 * <p>vhost encodes the base of a ring in the same way.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param isPacked whether the ring is packed
 * @param avail next available entry; 0 to 65535 (split) or 0 to 32767 (packed)
 * @param availWrap its wrap counter; false for a split ring
 * @param used next used entry, 0 to 32767; 0 for a split ring
 * @param usedWrap its wrap counter; false for a split ring
 */
public record RingIndex(
    boolean isPacked, int avail, boolean availWrap, int used, boolean usedWrap) {
  private static final RingIndex SPLIT_START = new RingIndex(false, 0, false, 0, false);
  private static final RingIndex PACKED_START = new RingIndex(true, 0, true, 0, true);

  /** Checks the ranges. */
  public RingIndex {
    int highest = isPacked ? 0x7FFF : 0xFFFF;
    if (avail < 0 || avail > highest || used < 0 || used > 0x7FFF) {
      throw new IllegalArgumentException(
          "ring index out of range: avail " + avail + ", used " + used);
    }
    if (!isPacked && (availWrap || usedWrap || used != 0)) {
      throw new IllegalArgumentException("a split ring has neither wrap counters nor a used index");
    }
  }

  /**
   * {@return the index of a split ring}
   *
   * @param avail next available entry, 0 to 65535
   */
  public static RingIndex split(int avail) {
    return new RingIndex(false, avail, false, 0, false);
  }

  /**
   * {@return the indexes of a packed ring}
   *
   * @param avail next available entry, 0 to 32767
   * @param availWrap its wrap counter
   * @param used next used entry, 0 to 32767
   * @param usedWrap its wrap counter
   */
  public static RingIndex packed(int avail, boolean availWrap, int used, boolean usedWrap) {
    return new RingIndex(true, avail, availWrap, used, usedWrap);
  }

  /**
   * {@return the index of a ring after a reset} For a packed ring: index 0 with both wrap counters
   * set.
   *
   * @param packed whether the ring is a packed one
   */
  public static RingIndex start(boolean packed) {
    return packed ? PACKED_START : SPLIT_START;
  }

  /**
   * {@return whether a device can have this index in a split ring: between the used index and the
   * available index, and at most one ring size after the used index} All indexes count modulo 65536
   * (virtio 1.2, 2.7.6 and 2.7.8). Allocates nothing.
   *
   * @param next the next available index that the device takes, only its lower 16 bits are used
   * @param used the used index in guest memory, 0 to 65535
   * @param available the available index in guest memory, 0 to 65535
   * @param size entries of the ring
   */
  public static boolean splitMayBe(int next, int used, int available, int size) {
    int taken = (next - used) & 0xFFFF;
    int made = (available - used) & 0xFFFF;
    return taken <= Math.min(made, size);
  }

  /**
   * {@return the value for SET_VRING_BASE and GET_VRING_BASE, all 32 bits; for a packed ring it may
   * be negative}
   */
  public int toVhostBase() {
    return isPacked
        ? avail | (availWrap ? 1 << 15 : 0) | used << 16 | (usedWrap ? 1 << 31 : 0)
        : avail;
  }

  /**
   * {@return the index of a vhost base} For a split ring only the lower 16 bits are used, as in
   * back ends.
   *
   * @param base the value, all 32 bits
   * @param packed whether the ring is packed
   */
  public static RingIndex fromVhostBase(int base, boolean packed) {
    return packed
        ? packed(
            base & 0x7FFF, (base >>> 15 & 1) != 0, base >>> 16 & 0x7FFF, (base >>> 31 & 1) != 0)
        : split(base & 0xFFFF);
  }

  @Override
  public String toString() {
    return isPacked
        ? avail + (availWrap ? "w" : "") + "/" + used + (usedWrap ? "w" : "")
        : Integer.toString(avail);
  }
}
