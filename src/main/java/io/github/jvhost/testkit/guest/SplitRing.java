package io.github.jvhost.testkit.guest;

import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a split ring (virtio 1.2, 2.7). The object itself holds nothing but
 * addresses: a second one, attached to a copy of the memory, goes on exactly where this one stood.
 *
 * <pre>
 *   ring block, the driver's own                    what both sides see
 *   0    2      4      6      8     16     24       desc  16 * size: | gpa 8 | len 4 | flags 2 | next 2 |
 *   +----+------+------+------+-----+------+-----+  avail 4 + 2 * size: | flags 2 | idx 2 | head 2 ... |
 *   |size| free | free | last | desc| avail| used|  used  4 + 8 * size: | flags 2 | idx 2 | id 4, len 4 ... |
 *   |    | head | count| used | gpa | gpa  | gpa |
 *   +----+------+------+------+-----+------+-----+  The free list runs through desc.next, as no device reads
 *   32: for each descriptor 2 bytes, the length     or writes a descriptor that was not made available.
 *       of the chain that starts there, 0 = none;   The used ring has pages of its own: only the device writes it.
 *       bit 15: the device gave it back
 * </pre>
 *
 * For one thread at a time.
 */
final class SplitRing {
  private static final int NEXT = 1;
  private static final int WRITE = 2;
  private static final int NO_INTERRUPT = 1;
  private static final int NO_NOTIFY = 1;

  private static final int TAKEN = 0x8000;
  private static final long CHAINS = 32;
  private static final int MAX_SIZE = 1 << 15;

  private final GuestRam ram;
  private final long block;
  private final int size;
  private final long desc;
  private final long avail;
  private final long used;

  private SplitRing(GuestRam ram, long block) {
    this.ram = ram;
    this.block = block;
    size = ram.getShort(block);
    desc = ram.getLong(block + 8);
    avail = ram.getLong(block + 16);
    used = ram.getLong(block + 24);
  }

  /** A part of a chain: where, how long, and whether the device writes it. */
  record Part(long gpa, int length, boolean deviceWrites) {}

  /**
   * A chain that the device is done with: its first descriptor, and how many bytes the device says
   * that it wrote.
   */
  record Used(int head, int length) {}

  /**
   * Lays out a ring in new memory.
   *
   * @param size a power of two
   * @param usable how many of the descriptors are ever used, at most {@code size}
   */
  static SplitRing create(GuestRam ram, int size, int usable) {
    if (Integer.bitCount(size) != 1 || size > MAX_SIZE || usable < 1 || usable > size) {
      throw new IllegalArgumentException("a split ring of " + size + ", " + usable + " usable");
    }
    long block = ram.allocate(CHAINS + 2L * size, 64);
    ram.putShort(block, size);
    ram.putShort(block + 4, usable);
    long desc = ram.allocate(16L * size, 16);
    ram.putLong(block + 8, desc);
    ram.putLong(block + 16, ram.allocate(6 + 2L * size, 2));
    ram.putLong(block + 24, ram.allocatePages(6 + 8L * size));
    for (int i = 0; i < usable; i++) {
      ram.putShort(desc + 16L * i + 14, i + 1);
    }
    return new SplitRing(ram, block);
  }

  /** Goes on with a ring that is in memory already. */
  static SplitRing attach(GuestRam ram, long block) {
    SplitRing ring = new SplitRing(ram, block);
    if (Integer.bitCount(ring.size) != 1 || ring.freeCount() > ring.size) {
      throw ram.failure("no ring at 0x" + Long.toHexString(block) + ": size " + ring.size);
    }
    // Touch the ends, so that an address outside of memory fails here and not in the guest's loop.
    ram.getLong(ring.desc + 16L * ring.size - 8);
    ram.getShort(ring.avail + 2 + 2L * ring.size);
    ram.getLong(ring.used + 8L * ring.size - 4);
    return ring;
  }

  long block() {
    return block;
  }

  int size() {
    return size;
  }

  long desc() {
    return desc;
  }

  long avail() {
    return avail;
  }

  long used() {
    return used;
  }

  int freeCount() {
    return ram.getShort(block + 4);
  }

  /** The descriptor that the next chain will start with; only when one is free. */
  int nextHead() {
    return ram.getShort(block + 2);
  }

  /** Whether the device shall signal what it used: a hint, as in virtio 1.2, 2.7.7. */
  void wantInterrupts(boolean wanted) {
    ram.putShort(avail, wanted ? 0 : NO_INTERRUPT);
  }

  /**
   * Makes a chain available.
   *
   * @return its first descriptor, or -1 when there are too few free ones
   */
  int post(Part... chain) {
    int free = freeCount();
    if (free < chain.length) {
      return -1;
    }
    int head = nextHead();
    int at = head;
    for (int i = 0; i < chain.length; i++) {
      Part part = chain[i];
      long d = desc + 16L * at;
      ram.putLong(d, part.gpa());
      ram.putInt(d + 8, part.length());
      ram.putShort(d + 12, (part.deviceWrites() ? WRITE : 0) | (i < chain.length - 1 ? NEXT : 0));
      at = ram.getShort(d + 14);
    }
    ram.putShort(block + 2, at);
    ram.putShort(block + 4, free - chain.length);
    ram.putShort(block + CHAINS + 2L * head, chain.length);
    int index = ram.getShort(avail + 2);
    ram.putShort(avail + 4 + 2L * (index & size - 1), head);
    ram.putShortRelease(avail + 2, index + 1);
    return head;
  }

  /** Whether the device wants to be notified of what was posted. */
  boolean needsKick() {
    // The new index has to be visible before the flag is read (virtio 1.2, 2.7.13.4.1): store, then
    // load.
    VarHandle.fullFence();
    return (ram.getShort(used) & NO_NOTIFY) == 0;
  }

  /**
   * Takes the next chain that the device is done with; its descriptors stay taken until {@link
   * #release}.
   *
   * @return null when there is none
   * @throws io.github.jvhost.VhostException when the used ring makes no sense; it did not move then
   */
  @Nullable Used takeUsed() {
    int last = ram.getShort(block + 6);
    int ahead = ram.getShortAcquire(used + 2) - last & 0xffff;
    if (ahead == 0) {
      return null;
    }
    if (ahead > size) {
      throw ram.failure("used index is " + (short) ahead + " away from " + last);
    }
    long entry = used + 4 + 8L * (last & size - 1);
    int head = ram.getInt(entry);
    int chain = head < 0 || head >= size ? 0 : ram.getShort(block + CHAINS + 2L * head);
    if (chain == 0 || (chain & TAKEN) != 0) {
      throw ram.failure(
          "used entry " + last + " names descriptor " + head + ", where the device has no chain");
    }
    ram.putShort(block + CHAINS + 2L * head, chain | TAKEN);
    ram.putShort(block + 6, last + 1);
    return new Used(head, ram.getInt(entry + 4));
  }

  /** Gives the descriptors of a chain that was taken back to the free list. */
  void release(int head) {
    long chain = block + CHAINS + 2L * head;
    int length = ram.getShort(chain) & ~TAKEN;
    int tail = head;
    for (int i = 1; i < length; i++) {
      tail = ram.getShort(desc + 16L * tail + 14);
    }
    ram.putShort(desc + 16L * tail + 14, nextHead());
    ram.putShort(block + 2, head);
    ram.putShort(block + 4, freeCount() + length);
    ram.putShort(chain, 0);
  }
}
