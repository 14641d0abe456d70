package io.github.jvhost.virtio;

import java.util.Objects;

/**
 * One ring in a saved device: all that a section has for it. This is more than {@link QueueState}.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param size entries, 0 to 32768; 0 = the device has no such ring
 * @param defaultSize entries after a reset, 0 to 32768
 * @param align legacy virtio-mmio: alignment of the used ring in bytes; else 0 (32 bits)
 * @param desc guest-physical address of the descriptor table; 0 = never set up
 * @param next next available index, 0 to 65535; 0 when the ring was never set up
 * @param vector MSI-X vector, or {@link #NO_VECTOR}
 * @param avail guest-physical address of the available ring; 0 if the host does not offer VERSION_1
 *     (then it is computed from desc)
 * @param used guest-physical address of the used ring; 0 as for {@code avail}
 * @param packed indexes of a packed ring; {@link Packed#START} if the host does not offer packed
 *     rings
 * @param proxy the ring in the transport's modern registers; {@link Proxy#NONE} if it has none
 */
public record SavedQueue(
    int size,
    int defaultSize,
    int align,
    long desc,
    int next,
    int vector,
    long avail,
    long used,
    Packed packed,
    Proxy proxy) {
  /** No MSI-X vector is assigned. */
  public static final int NO_VECTOR = 0xFFFF;

  /** The largest ring in virtio. */
  public static final int MAX_SIZE = 32768;

  /** A ring that the device does not have. All entries after the last ring have this value. */
  public static final SavedQueue ABSENT =
      new SavedQueue(0, 0, 0, 0, 0, NO_VECTOR, 0, 0, Packed.START, Proxy.NONE);

  /** Checks the ranges. */
  public SavedQueue {
    Objects.requireNonNull(packed, "packed");
    Objects.requireNonNull(proxy, "proxy");
    if (size < 0 || size > MAX_SIZE || defaultSize < 0 || defaultSize > MAX_SIZE) {
      throw new IllegalArgumentException("ring of " + size + " entries, default " + defaultSize);
    }
    Ranges.check16(next, "next index");
    Ranges.check16(vector, "vector");
    if (desc == 0 && next != 0) {
      throw new IllegalArgumentException("a ring that was never set up has next index " + next);
    }
    if (size == 0 && (align != 0 || desc != 0 || vector != NO_VECTOR)) {
      throw new IllegalArgumentException("a ring that is not there has state");
    }
  }

  /**
   * {@return the same ring with another next index}
   *
   * @param newNext next available index, 0 to 65535; 0 for a ring that was never set up
   */
  public SavedQueue withNext(int newNext) {
    return withIndexes(newNext, packed);
  }

  /**
   * {@return the same ring with another next index}
   *
   * @param newNext next available index, 0 to 65535; 0 for a ring that was never set up
   * @param newPacked the indexes of a packed ring
   */
  public SavedQueue withIndexes(int newNext, Packed newPacked) {
    return new SavedQueue(
        size, defaultSize, align, desc, newNext, vector, avail, used, newPacked, proxy);
  }

  /**
   * The indexes of a packed ring. QEMU keeps the next index of a split ring in the same field. So
   * if packed rings are offered but not used, {@code avail} is that index.
   *
   * @param avail next available index, 16 bits
   * @param availWrap its wrap counter
   * @param used next used index, 16 bits
   * @param usedWrap its wrap counter
   * @param inUse descriptors that the device has taken and not yet returned (32 bits)
   */
  public record Packed(int avail, boolean availWrap, int used, boolean usedWrap, int inUse) {
    /** The indexes after a reset. */
    public static final Packed START = new Packed(0, true, 0, true, 0);

    /** Checks the ranges. */
    public Packed {
      Ranges.check16(avail, "packed available index");
      Ranges.check16(used, "packed used index");
    }
  }

  /**
   * A ring in the transport's modern registers.
   *
   * @param size as written, 16 bits
   * @param enabled whether the driver enabled the ring
   * @param desc address as written
   * @param avail address as written
   * @param used address as written
   */
  public record Proxy(int size, boolean enabled, long desc, long avail, long used) {
    /** The driver has written nothing. */
    public static final Proxy NONE = new Proxy(0, false, 0, 0, 0);

    /** Checks the range. */
    public Proxy {
      Ranges.check16(size, "ring size");
    }
  }
}
