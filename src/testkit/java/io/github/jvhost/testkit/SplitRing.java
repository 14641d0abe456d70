package io.github.jvhost.testkit;

import io.github.jvhost.protocol.VringAddress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The device's side of one split ring in guest memory (virtio 1.2, 2.7).
 *
 * <pre>
 *   desc  16 x size    | addr u64 | len u32 | flags u16 | next u16 |
 *   avail 6 + 2 x size | flags u16 | idx u16 | ring u16 x size | used_event u16 |
 *   used  6 + 8 x size | flags u16 | idx u16 | {id u32, len u32} x size | avail_event u16 |
 * </pre>
 */
final class SplitRing implements DeviceRing {
  private static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  // Acquire and release need a naturally aligned field; the alignment is checked when the ring is
  // looked up.
  private static final VarHandle INDEX =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private static final int NO_INTERRUPT = 1;
  private static final int NO_NOTIFY = 1;

  private final RingModel model;
  private final MemorySegment descriptors;
  private final MemorySegment available;
  private final MemorySegment used;
  private final long usedLog;
  private final @Nullable GuestWrites log;
  private final GuestWrites writes;
  private int peeked;

  private SplitRing(
      RingModel model,
      MemorySegment descriptors,
      MemorySegment available,
      MemorySegment used,
      long usedLog,
      @Nullable GuestWrites log,
      GuestWrites writes) {
    this.model = model;
    this.descriptors = descriptors;
    this.available = available;
    this.used = used;
    this.usedLog = usedLog;
    this.log = log;
    this.writes = writes;
    this.peeked = model.base;
  }

  /**
   * Looks the ring up.
   *
   * @param log receives the writes to the used ring if the ring's addresses ask for it
   * @param writes counts every write
   * @throws io.github.jvhost.VhostException when a part is not in memory or not aligned
   */
  static SplitRing of(RingModel model, BackEndMemory memory, GuestWrites log, GuestWrites writes) {
    VringAddress address = model.mapped;
    if (address == null) {
      throw DeviceRing.broken(model.number, "has no place in memory");
    }
    int size = model.size;
    MemorySegment descriptors = memory.atUser(address.descriptor(), 16L * size);
    MemorySegment available = memory.atUser(address.available(), 6 + 2L * size);
    MemorySegment used = memory.atUser(address.used(), 6 + 8L * size);
    if (descriptors == null || available == null || used == null) {
      throw DeviceRing.broken(model.number, "is not in mapped memory");
    }
    if ((available.address() | used.address()) % Short.BYTES != 0) {
      throw DeviceRing.broken(model.number, "has an odd address");
    }
    boolean logged = (address.flags() & VringAddress.LOG) != 0;
    return new SplitRing(
        model, descriptors, available, used, address.log(), logged ? log : null, writes);
  }

  @Override
  public @Nullable Chain peek() {
    if (waiting() == (peeked - model.base & 0xffff)) {
      return null;
    }
    int head = available.get(U16, 4 + 2L * (peeked % model.size)) & 0xffff;
    if (head >= model.size) {
      throw DeviceRing.broken(
          model.number, "has descriptor " + head + " in its avail ring of " + model.size);
    }
    Chain chain = chain(head);
    peeked = peeked + 1 & 0xffff;
    return chain;
  }

  /** Returns how many chains the driver has posted that were not taken yet. */
  private int waiting() {
    int index = (short) INDEX.getAcquire(available, 2L) & 0xffff;
    int waiting = index - model.base & 0xffff;
    if (waiting > model.size) {
      throw DeviceRing.broken(
          model.number,
          "has avail index " + index + " with " + model.size + " entries after " + model.base);
    }
    return waiting;
  }

  private Chain chain(int head) {
    List<Descriptor> chain = new ArrayList<>(2);
    int index = head;
    while (chain.size() < model.size) {
      long at = 16L * index;
      int flags = descriptors.get(U16, at + 12) & 0xffff;
      chain.add(
          DeviceRing.checked(
              model.number, index, descriptors.get(U64, at), descriptors.get(U32, at + 8), flags));
      if ((flags & NEXT) == 0) {
        return new Chain(head, chain);
      }
      index = descriptors.get(U16, at + 14) & 0xffff;
      if (index >= model.size) {
        throw DeviceRing.broken(
            model.number, "has a chain to descriptor " + index + " of " + model.size);
      }
    }
    throw DeviceRing.broken(model.number, "has a chain without an end");
  }

  @Override
  public void use(Chain chain, int length) {
    long at = 4 + 8L * (model.nextUsed % model.size);
    used.set(U32, at, chain.id());
    used.set(U32, at + 4, length);
    wrote(at, 8);
    model.base = model.base + 1 & 0xffff;
    model.nextUsed = model.nextUsed + 1 & 0xffff;
  }

  @Override
  public void publish() {
    INDEX.setRelease(used, 2L, (short) model.nextUsed);
    wrote(2, 2);
  }

  @Override
  public boolean wantsCall() {
    // The index must be visible before the flag is read, or both sides could miss each other
    // (virtio 1.2, 2.7.7.2).
    VarHandle.fullFence();
    return (available.get(U16, 0) & NO_INTERRUPT) == 0;
  }

  @Override
  public void askForKicks() {
    int flags = used.get(U16, 0);
    if ((flags & NO_NOTIFY) != 0) {
      used.set(U16, 0, (short) (flags & ~NO_NOTIFY));
      wrote(0, 2);
    }
  }

  /** Returns the index field of the used ring from guest memory. */
  int usedIndex() {
    return (short) INDEX.getAcquire(used, 2L) & 0xffff;
  }

  private void wrote(long offset, long length) {
    writes.wrote(usedLog + offset, length);
    if (log != null) {
      log.wrote(usedLog + offset, length);
    }
  }
}
