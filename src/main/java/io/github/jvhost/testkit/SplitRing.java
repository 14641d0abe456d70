package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.VringAddress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The device's side of one split ring in guest memory (virtio 1.2, 2.7). Looked up anew each time a
 * ring is served: what lies behind the addresses may have changed, and the guest may write
 * anything.
 *
 * <pre>
 *   desc  16 x size    | addr u64 | len u32 | flags u16 | next u16 |
 *   avail 6 + 2 x size | flags u16 | idx u16 | ring u16 x size | used_event u16 |
 *   used  6 + 8 x size | flags u16 | idx u16 | {id u32, len u32} x size | avail_event u16 |
 * </pre>
 */
final class SplitRing {
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

  private final int number;
  private final int size;
  private final MemorySegment descriptors;
  private final MemorySegment available;
  private final MemorySegment used;
  private final long usedLog;
  private final @Nullable GuestWrites log;
  private final GuestWrites writes;

  /** Learns of each write to guest memory. */
  @FunctionalInterface
  interface GuestWrites {
    void wrote(long guestAddress, long length);
  }

  /** One descriptor, as the guest wrote it. */
  record Descriptor(long address, int length, int flags, int next) {
    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;
  }

  private SplitRing(
      RingModel model,
      MemorySegment descriptors,
      MemorySegment available,
      MemorySegment used,
      long usedLog,
      @Nullable GuestWrites log,
      GuestWrites writes) {
    this.number = model.number;
    this.size = model.size;
    this.descriptors = descriptors;
    this.available = available;
    this.used = used;
    this.usedLog = usedLog;
    this.log = log;
    this.writes = writes;
  }

  /**
   * Looks the ring up.
   *
   * @param log where writes to the used ring are marked; only if the ring's addresses ask for it
   * @param writes counts every write
   * @throws VhostException when a part is not in memory or not aligned
   */
  static SplitRing of(RingModel model, BackEndMemory memory, GuestWrites log, GuestWrites writes) {
    VringAddress address = model.address;
    if (address == null) {
      throw broken(model.number, "has no addresses");
    }
    int size = model.size;
    MemorySegment descriptors = memory.atUser(address.descriptor(), 16L * size);
    MemorySegment available = memory.atUser(address.available(), 6 + 2L * size);
    MemorySegment used = memory.atUser(address.used(), 6 + 8L * size);
    if (descriptors == null || available == null || used == null) {
      throw broken(model.number, "is not in mapped memory");
    }
    if ((available.address() | used.address()) % Short.BYTES != 0) {
      throw broken(model.number, "has an odd address");
    }
    boolean logged = (address.flags() & VringAddress.LOG) != 0;
    return new SplitRing(
        model, descriptors, available, used, address.log(), logged ? log : null, writes);
  }

  static VhostException broken(int ring, String why) {
    return new VhostException("serving ring " + ring + ": it " + why, Recovery.GIVE_UP);
  }

  /** How many chains wait from this index on. */
  int waiting(int next) {
    int index = (short) INDEX.getAcquire(available, 2L) & 0xffff;
    int waiting = index - next & 0xffff;
    if (waiting > size) {
      throw broken(number, "has avail index " + index + " with " + size + " entries after " + next);
    }
    return waiting;
  }

  /** The head of the chain at this free-running index. */
  int head(int index) {
    int head = available.get(U16, 4 + 2L * (index % size)) & 0xffff;
    if (head >= size) {
      throw broken(number, "has descriptor " + head + " in its avail ring of " + size);
    }
    return head;
  }

  Descriptor descriptor(int index) {
    if (index >= size) {
      throw broken(number, "has a chain to descriptor " + index + " of " + size);
    }
    long at = 16L * index;
    Descriptor descriptor =
        new Descriptor(
            descriptors.get(U64, at),
            descriptors.get(U32, at + 8),
            descriptors.get(U16, at + 12) & 0xffff,
            descriptors.get(U16, at + 14) & 0xffff);
    if ((descriptor.flags & Descriptor.INDIRECT) != 0) {
      throw broken(number, "has an indirect descriptor, which was not negotiated");
    }
    if (descriptor.length < 0) {
      throw broken(
          number, "has a descriptor of " + Integer.toUnsignedString(descriptor.length) + " bytes");
    }
    return descriptor;
  }

  /** Writes a used element; visible to the guest only after {@link #publish}. */
  void use(int index, int head, int length) {
    long at = 4 + 8L * (index % size);
    used.set(U32, at, head);
    used.set(U32, at + 4, length);
    wrote(at, 8);
  }

  /** Makes all used elements before this free-running index visible. */
  void publish(int index) {
    INDEX.setRelease(used, 2L, (short) index);
    wrote(2, 2);
  }

  /** Whether the guest wants to be told of used elements; to be asked after {@link #publish}. */
  boolean wantsCall() {
    // The index must be visible before the flag is read, or both sides could miss each other
    // (virtio 1.2, 2.7.7.2).
    VarHandle.fullFence();
    return (available.get(U16, 0) & NO_INTERRUPT) == 0;
  }

  /** The index field of the used ring as it stands in memory. */
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
