package io.github.jvhost.testkit.guest;

import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a split ring (virtio 1.2, 2.7).
 *
 * <pre>
 *   for each descriptor in the ring block           what both sides see
 *   2 bytes, the length of the chain that           desc  16 * size: | gpa 8 | len 4 | flags 2 | next 2 |
 *   starts there, 0 = none                          avail 4 + 2 * size: | flags 2 | idx 2 | head 2 ... |
 *                                                   used  4 + 8 * size: | flags 2 | idx 2 | id 4, len 4 ... |
 *
 *                                                   The free list runs through desc.next, as no device reads
 *                                                   or writes a descriptor that was not made available.
 *                                                   The used ring has pages of its own: only the device writes it.
 * </pre>
 */
final class SplitRing implements DriverRing {
  private static final int NEXT = 1;
  private static final int WRITE = 2;
  private static final int NO_INTERRUPT = 1;
  private static final int NO_NOTIFY = 1;

  private final GuestRam ram;
  private final RingBlock block;
  private final int size;
  private final long desc;
  private final long avail;
  private final long used;

  private SplitRing(GuestRam ram, RingBlock block) {
    this.ram = ram;
    this.block = block;
    size = block.size();
    desc = block.desc();
    avail = block.driverArea();
    used = block.deviceArea();
  }

  /**
   * Lays out a ring in new memory.
   *
   * @param size a power of two
   * @param usable how many of the descriptors the driver uses, at most {@code size}
   */
  static SplitRing create(GuestRam ram, int size, int usable) {
    if (Integer.bitCount(size) != 1) {
      throw new IllegalArgumentException("a split ring of " + size);
    }
    RingBlock block = RingBlock.create(ram, RingBlock.SPLIT, size, usable, 2);
    long desc = ram.allocate(16L * size, 16);
    long avail = ram.allocate(6 + 2L * size, 2);
    block.places(desc, avail, ram.allocatePages(6 + 8L * size));
    for (int i = 0; i < usable; i++) {
      ram.putShort(desc + 16L * i + 14, i + 1);
    }
    return new SplitRing(ram, block);
  }

  /** Continues with a ring that is in memory. */
  static SplitRing attach(GuestRam ram, long block) {
    SplitRing ring = new SplitRing(ram, new RingBlock(ram, block));
    if (Integer.bitCount(ring.size) != 1 || ring.freeCount() > ring.size) {
      throw ram.failure("no ring at 0x" + Long.toHexString(block) + ": size " + ring.size);
    }
    // Reads the last bytes, so that an address outside of memory fails here and not in the guest's
    // loop.
    ram.getLong(ring.desc + 16L * ring.size - 8);
    ram.getShort(ring.avail + 2 + 2L * ring.size);
    ram.getLong(ring.used + 8L * ring.size - 4);
    return ring;
  }

  @Override
  public long block() {
    return block.gpa();
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public long desc() {
    return desc;
  }

  @Override
  public long avail() {
    return avail;
  }

  @Override
  public long used() {
    return used;
  }

  @Override
  public long end() {
    return used + 6 + 8L * size;
  }

  @Override
  public int freeCount() {
    return block.freeCount();
  }

  @Override
  public int nextHead() {
    return block.freeHead();
  }

  @Override
  public void wantInterrupts(boolean wanted) {
    ram.putShort(avail, wanted ? 0 : NO_INTERRUPT);
  }

  @Override
  public int post(Part... chain) {
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
    block.freeHead(at);
    block.freeCount(free - chain.length);
    ram.putShort(chainAt(head), chain.length);
    int index = ram.getShort(avail + 2);
    ram.putShort(avail + 4 + 2L * (index & size - 1), head);
    ram.putShortRelease(avail + 2, index + 1);
    return head;
  }

  @Override
  public boolean needsKick() {
    // The new index has to be visible before the flag is read (virtio 1.2, 2.7.13.4.1): store, then
    // load.
    VarHandle.fullFence();
    return (ram.getShort(used) & NO_NOTIFY) == 0;
  }

  @Override
  public @Nullable Used takeUsed() {
    int last = block.lastUsed();
    int ahead = ram.getShortAcquire(used + 2) - last & 0xffff;
    if (ahead == 0) {
      return null;
    }
    if (ahead > size) {
      throw ram.failure("used index is " + (short) ahead + " away from " + last);
    }
    long entry = used + 4 + 8L * (last & size - 1);
    int head = ram.getInt(entry);
    int chain = head < 0 || head >= size ? 0 : ram.getShort(chainAt(head));
    if (chain == 0 || (chain & RingBlock.TAKEN) != 0) {
      throw ram.failure(
          "used entry " + last + " names descriptor " + head + ", where the device has no chain");
    }
    ram.putShort(chainAt(head), chain | RingBlock.TAKEN);
    block.lastUsed(last + 1);
    return new Used(head, ram.getInt(entry + 4));
  }

  @Override
  public void release(int head) {
    int length = ram.getShort(chainAt(head)) & ~RingBlock.TAKEN;
    int tail = head;
    for (int i = 1; i < length; i++) {
      tail = ram.getShort(desc + 16L * tail + 14);
    }
    ram.putShort(desc + 16L * tail + 14, nextHead());
    block.freeHead(head);
    block.freeCount(freeCount() + length);
    ram.putShort(chainAt(head), 0);
  }

  private long chainAt(int head) {
    return block.gpa() + RingBlock.ENTRIES + 2L * head;
  }
}
