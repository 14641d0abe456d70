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
 * The device's side of one packed ring in guest memory (virtio 1.2, 2.8).
 *
 * <pre>
 *   desc  16 x size   | addr u64 | len u32 | id u16 | flags u16 |
 *   driver area, device area   | event u16 | flags u16 |   flags: 0 notify, 1 do not
 *
 *   base, next used    15   14        0      the wrap counter w begins as 1 and flips after each lap
 *                     +---+------------+
 *                     | w |    slot    |     AVAIL = w, USED = !w: waits
 *                     +---+------------+     AVAIL = w, USED =  w: used, its id and length are the device's
 * </pre>
 */
final class PackedRing implements DeviceRing {
  private static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  // Acquire and release need a naturally aligned field; the alignment is checked when the ring is
  // looked up.
  private static final VarHandle FLAGS =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private static final int AVAIL = 1 << 7;
  private static final int USED = 1 << 15;
  private static final int WRAP = 1 << 15;
  private static final int DISABLED = 1;
  private static final int EVENT_FLAGS = 3;
  private static final int BYTES = 16;
  private static final int FLAGS_AT = 14;

  private final RingModel model;
  private final MemorySegment descriptors;
  private final MemorySegment driverArea;
  private final MemorySegment deviceArea;
  private final Log log;
  private int peeked;
  private int looked;
  private int firstUsed = -1;
  private short firstFlags;

  /**
   * Receives the writes to guest memory.
   *
   * @param descriptors guest address of the descriptor ring
   * @param marksDescriptors receives writes to the descriptor ring
   * @param marksArea receives writes to the device area
   * @param counts receives every write
   */
  record Log(
      long descriptors, GuestWrites marksDescriptors, GuestWrites marksArea, GuestWrites counts) {}

  private PackedRing(
      RingModel model,
      MemorySegment descriptors,
      MemorySegment driverArea,
      MemorySegment deviceArea,
      Log log) {
    this.model = model;
    this.descriptors = descriptors;
    this.driverArea = driverArea;
    this.deviceArea = deviceArea;
    this.log = log;
    this.peeked = model.base;
  }

  /**
   * Looks the ring up.
   *
   * @throws io.github.jvhost.VhostException when a part is not in memory or not aligned, or the
   *     base does not belong to a ring of this size
   */
  static PackedRing of(RingModel model, BackEndMemory memory, Log log) {
    VringAddress address = model.mapped;
    if (address == null) {
      throw DeviceRing.broken(model.number, "has no place in memory");
    }
    MemorySegment descriptors = memory.atUser(address.descriptor(), (long) BYTES * model.size);
    MemorySegment driverArea = memory.atUser(address.available(), Integer.BYTES);
    MemorySegment deviceArea = memory.atUser(address.used(), Integer.BYTES);
    if (descriptors == null || driverArea == null || deviceArea == null) {
      throw DeviceRing.broken(model.number, "is not in mapped memory");
    }
    long all = descriptors.address() | driverArea.address() | deviceArea.address();
    if (all % Short.BYTES != 0) {
      throw DeviceRing.broken(model.number, "has an odd address");
    }
    if (slot(model.base) >= model.size || slot(model.nextUsed) >= model.size) {
      throw DeviceRing.broken(
          model.number,
          "has base %d and used %d with %d entries"
              .formatted(slot(model.base), slot(model.nextUsed), model.size));
    }
    return new PackedRing(model, descriptors, driverArea, deviceArea, log);
  }

  @Override
  public @Nullable Chain peek() {
    int head = slot(peeked);
    int flags = (short) FLAGS.getAcquire(descriptors, at(head) + FLAGS_AT);
    boolean wrap = (peeked & WRAP) != 0;
    // At most one lap can wait, whatever the guest writes.
    if (((flags & AVAIL) != 0) != wrap || ((flags & USED) != 0) == wrap || looked >= model.size) {
      return null;
    }
    List<Descriptor> chain = new ArrayList<>(2);
    int index = head;
    while (looked + chain.size() < model.size) {
      long at = at(index);
      chain.add(
          DeviceRing.checked(
              model.number, index, descriptors.get(U64, at), descriptors.get(U32, at + 8), flags));
      if ((flags & NEXT) == 0) {
        peeked = advance(peeked, chain.size());
        looked += chain.size();
        return new Chain(descriptors.get(U16, at + 12) & 0xffff, chain);
      }
      index = index + 1 == model.size ? 0 : index + 1;
      flags = descriptors.get(U16, at(index) + FLAGS_AT);
    }
    throw DeviceRing.broken(model.number, "has a chain without an end");
  }

  @Override
  public void use(Chain chain, int length) {
    int slot = slot(model.nextUsed);
    long at = at(slot);
    descriptors.set(U16, at + 12, (short) chain.id());
    descriptors.set(U32, at + 8, length);
    short flags =
        (short) ((length > 0 ? WRITE : 0) | ((model.nextUsed & WRAP) != 0 ? AVAIL | USED : 0));
    if (firstUsed < 0) {
      // The guest reads the descriptors in order: while the first is not written, it sees none of
      // them.
      firstUsed = slot;
      firstFlags = flags;
    } else {
      FLAGS.setRelease(descriptors, at + FLAGS_AT, flags);
      wroteDescriptor(slot);
    }
    int taken = chain.descriptors().size();
    model.base = advance(model.base, taken);
    model.nextUsed = advance(model.nextUsed, taken);
    looked = Math.max(0, looked - taken);
  }

  @Override
  public void publish() {
    if (firstUsed >= 0) {
      FLAGS.setRelease(descriptors, at(firstUsed) + FLAGS_AT, firstFlags);
      // The page is marked after the write. A mark before it could be cleared before the write.
      wroteDescriptor(firstUsed);
      firstUsed = -1;
    }
  }

  @Override
  public boolean wantsCall() {
    // The flags must be visible before the guest's event flags are read, or both sides could miss
    // each
    // other (virtio 1.2, 2.8.21.4). Without EVENT_IDX the flags only say yes or no.
    VarHandle.fullFence();
    return (driverArea.get(U16, 2) & EVENT_FLAGS) != DISABLED;
  }

  @Override
  public void askForKicks() {
    if ((deviceArea.get(U16, 2) & EVENT_FLAGS) == DISABLED) {
      deviceArea.set(U16, 2, (short) 0);
      long area = model.mapped == null ? 0 : model.mapped.log();
      log.counts.wrote(area, Integer.BYTES);
      log.marksArea.wrote(area, Integer.BYTES);
    }
  }

  private void wroteDescriptor(int slot) {
    log.counts.wrote(log.descriptors + at(slot), BYTES);
    log.marksDescriptors.wrote(log.descriptors + at(slot), BYTES);
  }

  private int advance(int index, int slots) {
    int next = slot(index) + slots;
    int wrap = index & WRAP;
    return next < model.size ? next | wrap : (next - model.size) | (wrap ^ WRAP);
  }

  private static long at(int slot) {
    return (long) BYTES * slot;
  }

  private static int slot(int index) {
    return index & ~WRAP;
  }
}
