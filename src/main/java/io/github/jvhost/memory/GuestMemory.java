package io.github.jvhost.memory;

import io.github.jvhost.sys.DescriptorLedger;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one guest: its regions, each a sealed memory file of its own that is mapped here,
 * and access to it by guest address.
 *
 * <p>Numbers are little-endian, as virtio 1.x has them. Every access has to lie within one region;
 * otherwise it throws {@link GuestAddressException} and touches nothing. The plain accessors take
 * any alignment; those named {@code Acquire} and {@code Release}, for ring indexes that another
 * process reads or writes at the same time, need their natural one.
 *
 * <p>Thread-safe. Regions come and go while others are accessed; an access to a region that is
 * being removed throws {@link GuestAddressException} or {@link IllegalStateException}.
 */
public final class GuestMemory implements AutoCloseable {
  /**
   * What is added to a guest address to make the user address by which back ends are told of it. It
   * never changes, however often regions come and go, and is nowhere near a guest address: a back
   * end that takes one for the other fails at once.
   */
  public static final long USER_ADDRESS_BASE = 0x7000_0000_0000L;

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(LE);
  private static final VarHandle ORDERED_SHORT = ValueLayout.JAVA_SHORT.withOrder(LE).varHandle();
  private static final VarHandle ORDERED_INT = ValueLayout.JAVA_INT.withOrder(LE).varHandle();

  private final DescriptorLedger ledger;
  // Both are replaced as a whole, under the lock, sorted by guest address; readers take one of them
  // once.
  private volatile BackedRegion[] backed;
  private volatile MemoryTable table;
  private volatile @Nullable DirtyBitmap writes;

  private GuestMemory(DescriptorLedger ledger) {
    this.ledger = ledger;
    this.backed = new BackedRegion[0];
    this.table = MemoryTable.EMPTY;
  }

  /** Begins a guest memory whose files are written down in {@code ledger}. */
  public static Builder builder(DescriptorLedger ledger) {
    return new Builder(new GuestMemory(ledger));
  }

  /** Collects the first regions. For one thread. */
  public static final class Builder {
    private final GuestMemory memory;

    private Builder(GuestMemory memory) {
      this.memory = memory;
    }

    /**
     * One region more; see {@link GuestMemory#addRegion}. When it throws, all regions so far are
     * gone.
     *
     * @return this
     */
    public Builder region(String name, long gpa, long size) {
      try {
        memory.addRegion(name, gpa, size);
        return this;
      } catch (RuntimeException e) {
        memory.close();
        throw e;
      }
    }

    /** The memory, which the caller closes. */
    public GuestMemory build() {
      return memory;
    }
  }

  /** The regions as of now. Their descriptors stay this object's. */
  public MemoryTable table() {
    return table;
  }

  /**
   * Adds a region, all zero, in a sealed memory file of its own.
   *
   * @param name not yet used in this memory
   * @param gpa its guest address, a multiple of 4096
   * @param size in bytes, a multiple of 4096
   * @throws IllegalArgumentException when it is not aligned, or overlaps another
   * @throws IllegalStateException when writes are tracked in a bitmap that ends below it: give a
   *     larger one first
   */
  public synchronized void addRegion(String name, long gpa, long size) {
    BackedRegion added = BackedRegion.create(ledger, name, gpa, size);
    try {
      MemoryTable larger = table.with(added.region());
      requireRoomFor(larger, writes);
      backed =
          Stream.concat(Arrays.stream(backed), Stream.of(added))
              .sorted(Comparator.comparingLong(b -> b.region().guestAddress()))
              .toArray(BackedRegion[]::new);
      table = larger;
    } catch (RuntimeException e) {
      added.close();
      throw e;
    }
  }

  /**
   * Removes a region, unmaps it and closes its file. Slices of it that were given out become
   * invalid: they throw {@link IllegalStateException}. A back end has its own mapping: it has to
   * have acknowledged the removal first, or it may go on writing into memory that is nobody's.
   *
   * @throws IllegalArgumentException when there is no such region
   */
  public synchronized void removeRegion(String name) {
    BackedRegion removed =
        Arrays.stream(backed)
            .filter(b -> b.region().name().equals(name))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no memory region " + name));
    table = table.without(name);
    backed = Arrays.stream(backed).filter(b -> !b.equals(removed)).toArray(BackedRegion[]::new);
    removed.close();
  }

  /** The sum of all regions' sizes, in bytes. */
  public long totalBytes() {
    return table.totalBytes();
  }

  /** How many 4 KiB pages of guest memory are in memory, whoever touched them. */
  public long residentPages() {
    return Arrays.stream(backed).mapToLong(b -> b.mapping().residentPages()).sum();
  }

  /**
   * From now on every put through this object marks its pages, after the write: the part that KVM's
   * dirty log plays for a real guest. A put that is under way on another thread at this moment may
   * go unmarked, so switch while the guest's threads stand still. Writes through a {@link #slice}
   * are not seen: see {@link #written}.
   *
   * @param bitmap where to mark, large enough for all regions; null = no more
   * @throws IllegalStateException when it ends below the last region
   */
  public synchronized void trackWrites(@Nullable DirtyBitmap bitmap) {
    requireRoomFor(table, bitmap);
    writes = bitmap;
  }

  /**
   * Marks what was written through a slice, if writes are tracked. To be called after the write.
   */
  public void written(long gpa, long length) {
    DirtyBitmap bitmap = writes;
    if (bitmap != null) {
      bitmap.mark(gpa, length);
    }
  }

  /**
   * The bytes themselves, valid until their region is removed or this memory closed. Writes to them
   * are not tracked.
   *
   * @throws GuestAddressException when {@code [gpa, +length)} is not within one region
   */
  public MemorySegment slice(long gpa, long length) {
    BackedRegion b = find(gpa, length);
    return b.bytes().asSlice(gpa - b.region().guestAddress(), length);
  }

  /** One byte. */
  public byte getByte(long gpa) {
    BackedRegion b = find(gpa, Byte.BYTES);
    return b.bytes().get(ValueLayout.JAVA_BYTE, gpa - b.region().guestAddress());
  }

  /** Two bytes, little-endian. */
  public short getShort(long gpa) {
    BackedRegion b = find(gpa, Short.BYTES);
    return b.bytes().get(SHORT, gpa - b.region().guestAddress());
  }

  /** Four bytes, little-endian. */
  public int getInt(long gpa) {
    BackedRegion b = find(gpa, Integer.BYTES);
    return b.bytes().get(INT, gpa - b.region().guestAddress());
  }

  /** Eight bytes, little-endian. */
  public long getLong(long gpa) {
    BackedRegion b = find(gpa, Long.BYTES);
    return b.bytes().get(LONG, gpa - b.region().guestAddress());
  }

  /** Two aligned bytes; what their writer wrote before its release is seen after this. */
  public short getShortAcquire(long gpa) {
    BackedRegion b = findAligned(gpa, Short.BYTES);
    return (short) ORDERED_SHORT.getAcquire(b.bytes(), gpa - b.region().guestAddress());
  }

  /** Four aligned bytes; what their writer wrote before its release is seen after this. */
  public int getIntAcquire(long gpa) {
    BackedRegion b = findAligned(gpa, Integer.BYTES);
    return (int) ORDERED_INT.getAcquire(b.bytes(), gpa - b.region().guestAddress());
  }

  /** One byte. */
  public void putByte(long gpa, byte value) {
    BackedRegion b = find(gpa, Byte.BYTES);
    b.bytes().set(ValueLayout.JAVA_BYTE, gpa - b.region().guestAddress(), value);
    written(gpa, Byte.BYTES);
  }

  /** Two bytes, little-endian. */
  public void putShort(long gpa, short value) {
    BackedRegion b = find(gpa, Short.BYTES);
    b.bytes().set(SHORT, gpa - b.region().guestAddress(), value);
    written(gpa, Short.BYTES);
  }

  /** Four bytes, little-endian. */
  public void putInt(long gpa, int value) {
    BackedRegion b = find(gpa, Integer.BYTES);
    b.bytes().set(INT, gpa - b.region().guestAddress(), value);
    written(gpa, Integer.BYTES);
  }

  /** Eight bytes, little-endian. */
  public void putLong(long gpa, long value) {
    BackedRegion b = find(gpa, Long.BYTES);
    b.bytes().set(LONG, gpa - b.region().guestAddress(), value);
    written(gpa, Long.BYTES);
  }

  /** Two aligned bytes; whoever acquires them sees what was written before. */
  public void putShortRelease(long gpa, short value) {
    BackedRegion b = findAligned(gpa, Short.BYTES);
    ORDERED_SHORT.setRelease(b.bytes(), gpa - b.region().guestAddress(), value);
    written(gpa, Short.BYTES);
  }

  /** Four aligned bytes; whoever acquires them sees what was written before. */
  public void putIntRelease(long gpa, int value) {
    BackedRegion b = findAligned(gpa, Integer.BYTES);
    ORDERED_INT.setRelease(b.bytes(), gpa - b.region().guestAddress(), value);
    written(gpa, Integer.BYTES);
  }

  /** Copies all of {@code from} into the guest. */
  public void copyIn(long gpa, byte[] from) {
    copyIn(gpa, from, 0, from.length);
  }

  /** Copies a part of {@code from} into the guest. */
  public void copyIn(long gpa, byte[] from, int offset, int length) {
    BackedRegion b = find(gpa, length);
    long at = gpa - b.region().guestAddress();
    MemorySegment.copy(from, offset, b.bytes(), ValueLayout.JAVA_BYTE, at, length);
    written(gpa, length);
  }

  /** Fills {@code into} from the guest. */
  public void copyOut(long gpa, byte[] into) {
    copyOut(gpa, into, 0, into.length);
  }

  /** Fills a part of {@code into} from the guest. */
  public void copyOut(long gpa, byte[] into, int offset, int length) {
    BackedRegion b = find(gpa, length);
    long at = gpa - b.region().guestAddress();
    MemorySegment.copy(b.bytes(), ValueLayout.JAVA_BYTE, at, into, offset, length);
  }

  /** Removes all regions; a second time does nothing. */
  @Override
  public synchronized void close() {
    BackedRegion[] all = backed;
    backed = new BackedRegion[0];
    table = MemoryTable.EMPTY;
    for (BackedRegion b : all) {
      b.close();
    }
  }

  private BackedRegion find(long gpa, long length) {
    for (BackedRegion b : backed) {
      if (b.region().contains(gpa, length)) {
        return b;
      }
    }
    throw GuestAddressException.outside(gpa, length);
  }

  private BackedRegion findAligned(long gpa, int length) {
    if ((gpa & (length - 1)) != 0) {
      throw new GuestAddressException(gpa, length, "is not aligned");
    }
    return find(gpa, length);
  }

  private static void requireRoomFor(MemoryTable table, @Nullable DirtyBitmap bitmap) {
    if (bitmap != null && bitmap.highestAddress() < table.highestAddress()) {
      throw new IllegalStateException(
          "memory reaches 0x"
              + Long.toHexString(table.highestAddress())
              + ", its writes are tracked in "
              + bitmap);
    }
  }
}
