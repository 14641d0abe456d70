package io.github.jvhost.virtio;

import io.github.jvhost.memory.DeviceMemory;
import java.lang.invoke.VarHandle;

/**
 * A packed control ring (virtio 1.2, 2.8). The driver makes descriptors available in one ring, and
 * the device overwrites them with used descriptors. Each side has a wrap counter, which it flips at
 * the end of the ring, to distinguish one round from the next.
 *
 * <pre>
 *   desc    16 bytes each:  | addr u64 | len u32 | id u16 | flags u16 |
 *           flags: 1 NEXT, 2 WRITE, 4 INDIRECT, bit 7 AVAIL, bit 15 USED
 *           available: AVAIL = our wrap counter, USED = its opposite      used: both = the used one
 *   avail:  | offset and wrap u16 | flags u16 |   the driver's: when it wants interrupts
 *   used:   | offset and wrap u16 | flags u16 |   ours: when we want notifications
 *           flags: 0 always, 1 never, 2 at that offset (with EVENT_IDX)
 *
 *   ring    0     1     2     3     4          a chain is a row of descriptors, the last one
 *         | used| used|   avail   |            has its id; one used descriptor answers it
 *                      ^ used = avail          and stands for all of them
 * </pre>
 *
 * <p>The driver's suppression of interrupts is a hint. An interrupt that it did not want does no
 * harm (2.8.10). So the caller, which signals once for a whole batch, ignores the suppression.
 */
final class PackedControlRing extends ControlRing {
  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;
  private static final int NOTIFY_ALWAYS = 0;
  private static final int NOTIFY_AT_OFFSET = 2;

  private int avail;
  private boolean availWrap;
  private int used;
  private boolean usedWrap;

  PackedControlRing(DeviceMemory memory, QueueState queue, long features) {
    super(memory, queue, features);
    RingIndex next = queue.next();
    this.avail = next.avail();
    this.availWrap = next.availWrap();
    this.used = next.used();
    this.usedWrap = next.usedWrap();
  }

  @Override
  RingIndex next() {
    return RingIndex.packed(avail, availWrap, used, usedWrap);
  }

  @Override
  void begin() throws BrokenRingException {
    if (avail >= queue.size() || used >= queue.size()) {
      throw new BrokenRingException("a ring of " + queue.size() + " goes on at " + next());
    }
  }

  @Override
  boolean available() {
    // Acquire: we then see all that the driver wrote before it made the head available.
    int flags = memory.getShortAcquire(descriptor(queue.desc(), avail) + 14);
    boolean availFlag = (flags & AVAIL) != 0;
    boolean usedFlag = (flags & USED) != 0;
    return availFlag == availWrap && usedFlag != availWrap;
  }

  @Override
  void serveOne(Commands commands) throws BrokenRingException {
    chain.reset();
    int id = 0;
    int index = avail;
    int taken = 0;
    boolean more = true;
    while (more) {
      if (taken == queue.size()) {
        throw new BrokenRingException("a chain is longer than its ring of " + queue.size());
      }
      long at = descriptor(queue.desc(), index);
      int flags = memory.getShort(at + 14);
      id = memory.getShort(at + 12);
      take(at, flags, true);
      more = (flags & NEXT) != 0;
      index = index + 1 == queue.size() ? 0 : index + 1;
      taken++;
    }
    chain.execute(commands);
    long at = descriptor(queue.desc(), used);
    memory.putInt(at + 8, 1);
    memory.putShort(at + 12, (short) id);
    // Release: a driver that sees the flags also sees the rest of the descriptor and the answer.
    memory.putShortRelease(at + 14, (short) (WRITE | (usedWrap ? AVAIL | USED : 0)));
    pass(taken);
  }

  private void take(long at, int flags, boolean inRing) throws BrokenRingException {
    long address = memory.getLong(at);
    long length = Integer.toUnsignedLong(memory.getInt(at + 8));
    if ((flags & INDIRECT) == 0) {
      chain.take(address, length, (flags & WRITE) != 0);
      return;
    }
    if (!inRing) {
      throw new BrokenRingException("an indirect table in an indirect table");
    }
    int entries = indirectEntries(length, flags);
    for (int i = 0; i < entries; i++) {
      long entry = descriptor(address, i);
      take(entry, memory.getShort(entry + 14), false);
    }
  }

  /** Advances both indexes by that many descriptors. */
  private void pass(int descriptors) {
    avail += descriptors;
    if (avail >= queue.size()) {
      avail -= queue.size();
      availWrap = !availWrap;
    }
    used += descriptors;
    if (used >= queue.size()) {
      used -= queue.size();
      usedWrap = !usedWrap;
    }
  }

  @Override
  boolean askForNotification() {
    // Offset and flags are written as one number, so that the driver never sees half of it. It is
    // written also without EVENT_IDX: after a migration, the source may have left notifications
    // off.
    int wanted =
        eventIndex
            ? avail | (availWrap ? 1 << 15 : 0) | NOTIFY_AT_OFFSET << 16
            : NOTIFY_ALWAYS << 16;
    if (memory.getIntAcquire(queue.used()) == wanted) {
      return false;
    }
    memory.putIntRelease(queue.used(), wanted);
    VarHandle.fullFence();
    return available();
  }

  private static long descriptor(long table, int index) {
    return table + (long) DESCRIPTOR * index;
  }
}
