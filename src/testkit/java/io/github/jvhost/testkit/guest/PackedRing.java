package io.github.jvhost.testkit.guest;

import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a packed ring (virtio 1.2, 2.8). Descriptors are posted and used in ring
 * order, a chain in consecutive slots. The buffer id, not the slot, identifies a used chain.
 *
 * <pre>
 *   for each buffer id in the ring block           what both sides see
 *   0        2        4                            desc 16 * size: | gpa 8 | len 4 | id 2 | flags 2 |
 *   +--------+--------+                              flags: NEXT 1, WRITE 2, AVAIL 1 &lt;&lt; 7, USED 1 &lt;&lt; 15
 *   | length | next   |                            driver area, device area: | event 2 | flags 2 |
 *   | of its | free   |                              flags: 0 notify, 1 do not
 *   | chain  | id     |
 *   +--------+--------+
 *
 *   AVAIL  USED    with the wrap counter w of whoever looks; it begins as 1 and flips after each lap
 *     w     !w     posted
 *     w      w     used: id and length are the device's now
 * </pre>
 */
final class PackedRing implements DriverRing {
  private static final int NEXT = 1;
  private static final int WRITE = 2;
  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;
  private static final int WRAP = 1 << 15;
  private static final int DISABLED = 1;
  private static final int EVENT_FLAGS = 3;

  private final GuestRam ram;
  private final RingBlock block;
  private final int size;
  private final long desc;
  private final long driverArea;
  private final long deviceArea;

  private PackedRing(GuestRam ram, RingBlock block) {
    this.ram = ram;
    this.block = block;
    size = block.size();
    desc = block.desc();
    driverArea = block.driverArea();
    deviceArea = block.deviceArea();
  }

  /**
   * Lays out a ring in new memory.
   *
   * @param size 1 to 32768
   * @param usable how many of the descriptors the driver uses at a time, at most {@code size}
   */
  static PackedRing create(GuestRam ram, int size, int usable) {
    RingBlock block = RingBlock.create(ram, RingBlock.PACKED, size, usable, 4);
    long desc = ram.allocatePages(16L * size);
    long driverArea = ram.allocate(4, 4);
    // It has a page of its own, which only the device writes.
    block.places(desc, driverArea, ram.allocatePages(4));
    block.nextSlot(WRAP);
    block.lastUsed(WRAP);
    PackedRing ring = new PackedRing(ram, block);
    for (int id = 0; id < usable; id++) {
      ram.putShort(ring.entry(id) + 2, id + 1);
    }
    return ring;
  }

  /** Continues with a ring that is in memory. */
  static PackedRing attach(GuestRam ram, long block) {
    PackedRing ring = new PackedRing(ram, new RingBlock(ram, block));
    if (ring.size < 1
        || ring.freeCount() > ring.size
        || slot(ring.block.nextSlot()) >= ring.size
        || slot(ring.block.lastUsed()) >= ring.size) {
      throw ram.failure("no ring at 0x" + Long.toHexString(block) + ": size " + ring.size);
    }
    // Reads the last bytes, so that an address outside of memory fails here and not in the guest's
    // loop.
    ram.getShortAcquire(ring.desc + 16L * ring.size - 2);
    ram.getInt(ring.driverArea);
    ram.getInt(ring.deviceArea);
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
    return driverArea;
  }

  @Override
  public long used() {
    return deviceArea;
  }

  @Override
  public long end() {
    return deviceArea + 4;
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
    ram.putShort(driverArea + 2, wanted ? 0 : DISABLED);
  }

  @Override
  public int post(Part... chain) {
    int free = freeCount();
    if (free < chain.length) {
      return -1;
    }
    int id = nextHead();
    int first = block.nextSlot();
    int at = first;
    int firstFlags = 0;
    for (int i = 0; i < chain.length; i++) {
      Part part = chain[i];
      boolean last = i == chain.length - 1;
      long d = desc + 16L * slot(at);
      ram.putLong(d, part.gpa());
      ram.putInt(d + 8, part.length());
      // The id of a chain is in its last descriptor (virtio 1.2, 2.8.6).
      ram.putShort(d + 12, last ? id : 0);
      int flags =
          (part.deviceWrites() ? WRITE : 0) | (last ? 0 : NEXT) | ((at & WRAP) != 0 ? AVAIL : USED);
      if (i == 0) {
        firstFlags = flags;
      } else {
        ram.putShort(d + 14, flags);
      }
      at = advance(at, 1);
    }
    block.freeHead(ram.getShort(entry(id) + 2));
    block.freeCount(free - chain.length);
    block.nextSlot(at);
    ram.putShort(entry(id), chain.length);
    // The first descriptor's flags are written last: they make the whole chain available (virtio
    // 1.2, 2.8.21.1).
    ram.putShortRelease(desc + 16L * slot(first) + 14, firstFlags);
    return id;
  }

  @Override
  public boolean needsKick() {
    // The flags of the descriptor have to be visible before those of the device are read (virtio
    // 1.2, 2.8.21.3): store, then load.
    VarHandle.fullFence();
    return (ram.getShort(deviceArea + 2) & EVENT_FLAGS) != DISABLED;
  }

  @Override
  public @Nullable Used takeUsed() {
    int last = block.lastUsed();
    long d = desc + 16L * slot(last);
    int flags = ram.getShortAcquire(d + 14);
    boolean wrap = (last & WRAP) != 0;
    if (((flags & AVAIL) != 0) != wrap || ((flags & USED) != 0) != wrap) {
      return null;
    }
    int id = ram.getShort(d + 12);
    int chain = id < size ? ram.getShort(entry(id)) : 0;
    if (chain == 0 || (chain & RingBlock.TAKEN) != 0) {
      throw ram.failure(
          "used descriptor " + slot(last) + " names buffer " + id + ", which the device has not");
    }
    ram.putShort(entry(id), chain | RingBlock.TAKEN);
    block.lastUsed(advance(last, chain));
    // Without WRITE the device wrote nothing, and its length has no meaning (virtio 1.2, 2.8.5).
    return new Used(id, (flags & WRITE) != 0 ? ram.getInt(d + 8) : 0);
  }

  @Override
  public void release(int head) {
    long entry = entry(head);
    int length = ram.getShort(entry) & ~RingBlock.TAKEN;
    ram.putShort(entry, 0);
    ram.putShort(entry + 2, nextHead());
    block.freeHead(head);
    block.freeCount(freeCount() + length);
  }

  private static int slot(int index) {
    return index & ~WRAP;
  }

  private int advance(int index, int slots) {
    int next = slot(index) + slots;
    int wrap = index & WRAP;
    return next < size ? next | wrap : (next - size) | (wrap ^ WRAP);
  }

  private long entry(int id) {
    return block.gpa() + RingBlock.ENTRIES + 4L * id;
  }
}
