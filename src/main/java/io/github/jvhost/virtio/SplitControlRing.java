package io.github.jvhost.virtio;

import io.github.jvhost.memory.DeviceMemory;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A split control ring (virtio 1.2, 2.7). Numbers are little-endian, or in the order of a legacy
 * guest.
 *
 * <pre>
 *   desc   16 bytes each:  | addr u64 | len u32 | flags u16 | next u16 |    flags: 1 NEXT, 2 WRITE, 4 INDIRECT
 *   avail:                 | flags u16 | idx u16 | ring[size] u16 | used_event u16 |
 *   used:                  | flags u16 | idx u16 | ring[size] { id u32, len u32 } | avail_event u16 |
 * </pre>
 */
final class SplitControlRing extends ControlRing {
  private final boolean swapped;
  private int next;
  private int used;

  SplitControlRing(DeviceMemory memory, QueueState queue, long features, ByteOrder order) {
    super(memory, queue, features);
    this.swapped = order == ByteOrder.BIG_ENDIAN;
    this.next = queue.next().avail();
  }

  @Override
  RingIndex next() {
    return RingIndex.split(next);
  }

  @Override
  void begin() {
    // Each command is completed at once, so used and available index are equal. Guest memory
    // decides.
    used = get16(queue.used() + 2);
  }

  @Override
  boolean available() throws BrokenRingException {
    int pending = (availableIndex() - next) & 0xFFFF;
    if (pending > queue.size()) {
      throw new BrokenRingException(pending + " commands available in a ring of " + queue.size());
    }
    return pending != 0;
  }

  @Override
  void serveOne(Commands commands) throws BrokenRingException {
    int head = get16(queue.avail() + 4 + 2L * (next % queue.size()));
    chain.reset();
    walk(queue.desc(), queue.size(), head, true);
    chain.execute(commands);
    long element = queue.used() + 4 + 8L * (used % queue.size());
    put32(element, head);
    put32(element + 4, 1);
    used = (used + 1) & 0xFFFF;
    // Release: a driver that sees the index also sees the element and the answer.
    put16Release(queue.used() + 2, used);
    next = (next + 1) & 0xFFFF;
  }

  /**
   * With EVENT_IDX the driver notifies only at the index written here. Without it, the driver
   * always notifies.
   */
  @Override
  boolean askForNotification() {
    if (!eventIndex) {
      return false;
    }
    put16Release(queue.used() + 4 + 8L * queue.size(), next);
    VarHandle.fullFence();
    return availableIndex() != next;
  }

  private int availableIndex() {
    return order16(memory.getShortAcquire(queue.avail() + 2));
  }

  private void walk(long table, int entries, int first, boolean inRing) throws BrokenRingException {
    int index = first;
    for (int hops = 0; hops < entries; hops++) {
      if (index >= entries) {
        throw new BrokenRingException("descriptor " + index + " of " + entries);
      }
      long at = table + (long) DESCRIPTOR * index;
      long address = get64(at);
      long length = get32(at + 8);
      int flags = get16(at + 12);
      if ((flags & INDIRECT) != 0) {
        if (!inRing) {
          throw new BrokenRingException("an indirect table in an indirect table");
        }
        walk(address, indirectEntries(length, flags), 0, false);
        return;
      }
      chain.take(address, length, (flags & WRITE) != 0);
      if ((flags & NEXT) == 0) {
        return;
      }
      index = get16(at + 14);
    }
    throw new BrokenRingException("a chain is longer than its table of " + entries + ": a loop");
  }

  private int get16(long at) {
    return order16(memory.getShort(at));
  }

  private long get32(long at) {
    int value = memory.getInt(at);
    return Integer.toUnsignedLong(swapped ? Integer.reverseBytes(value) : value);
  }

  private long get64(long at) {
    long value = memory.getLong(at);
    return swapped ? Long.reverseBytes(value) : value;
  }

  private void put32(long at, int value) {
    memory.putInt(at, swapped ? Integer.reverseBytes(value) : value);
  }

  private void put16Release(long at, int value) {
    memory.putShortRelease(at, (short) order16((short) value));
  }

  private int order16(short value) {
    return (swapped ? Short.reverseBytes(value) : value) & 0xFFFF;
  }
}
