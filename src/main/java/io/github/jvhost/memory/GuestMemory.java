package io.github.jvhost.memory;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one guest: its regions, and access by guest address. Each region is a part of a
 * sealed memory file, which is mapped into this process. There are at most {@link
 * MemoryTable#MAX_REGIONS} regions. A file of several regions is open once, and closed with the
 * last of them.
 *
 * <p>Numbers are little-endian, as in virtio 1.x. An access that is not within one region throws
 * {@link GuestAddressException} and reads or writes nothing. The plain accessors take any
 * alignment. The accessors named {@code Acquire} and {@code Release} need natural alignment; they
 * are for ring indexes that another process reads or writes at the same time.
 *
 * <p>Thread-safe. Regions can be added and removed while other threads access memory. An access to
 * a region that is being removed throws {@link GuestAddressException} or {@link
 * IllegalStateException}. An access to a closed memory throws {@link IllegalStateException}.
 */
public final class GuestMemory implements AutoCloseable {
  /**
   * The difference between a user address and its guest address. It is constant. It is far above
   * all guest addresses, so a back end that confuses the two kinds of address fails at once.
   */
  public static final long USER_ADDRESS_BASE = 0x7000_0000_0000L;

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(LE);
  private static final VarHandle ORDERED_SHORT = ValueLayout.JAVA_SHORT.withOrder(LE).varHandle();
  private static final VarHandle ORDERED_INT = ValueLayout.JAVA_INT.withOrder(LE).varHandle();

  private final DescriptorLedger ledger;
  // Writers replace the object under the lock. A reader reads the field once.
  private volatile MappedRegions layout = MappedRegions.EMPTY;
  private volatile @Nullable DirtyBitmap writes;

  private GuestMemory(DescriptorLedger ledger) {
    this.ledger = ledger;
  }

  /**
   * {@return a builder of a guest memory without regions}
   *
   * @param ledger where the descriptors of its files are written down
   */
  public static Builder builder(DescriptorLedger ledger) {
    return new Builder(new GuestMemory(Objects.requireNonNull(ledger, "ledger")));
  }

  /**
   * Collects the first regions. For one thread. When a method throws, it has closed all regions and
   * files that were added.
   */
  public static final class Builder {
    private final GuestMemory memory;
    private final Map<String, MemoryFile> files = new HashMap<>();

    private Builder(GuestMemory memory) {
      this.memory = memory;
    }

    /**
     * Adds a region in a file of its own; see {@link GuestMemory#addRegion(String, long, long)}.
     *
     * @param name not yet used in this memory
     * @param gpa its guest address, a multiple of 4096
     * @param size in bytes, a multiple of 4096
     * @return this
     */
    public Builder region(String name, long gpa, long size) {
      return orNothing(() -> memory.addRegion(name, gpa, size));
    }

    /**
     * Creates a sealed memory file for several regions, such as the RAM below and above a hole. It
     * stays open until the last of them is removed.
     *
     * @param name not yet given to another file
     * @param size in bytes
     * @return this
     */
    public Builder file(String name, long size) {
      return orNothing(() -> {
        if (files.containsKey(name)) {
          throw new IllegalArgumentException("two memory files are named " + name);
        }
        files.put(name, MemoryFile.create(memory.ledger, name, size));
      });
    }

    /**
     * Adds a region that is a part of a file of this builder.
     *
     * @param name not yet used in this memory
     * @param gpa its guest address, a multiple of 4096
     * @param size in bytes, a multiple of 4096
     * @param file a name that {@link #file} was given
     * @param offset where it begins in the file, in bytes, a multiple of 4096
     * @return this
     */
    public Builder region(String name, long gpa, long size, String file, long offset) {
      return orNothing(() -> {
        MemoryFile known = files.get(file);
        if (known == null) {
          throw new IllegalArgumentException("no memory file " + file);
        }
        memory.addRegion(name, gpa, size, known.descriptor(), offset);
      });
    }

    /**
     * Adds a region that is a part of a file of the caller; see {@link
     * GuestMemory#addRegion(String, long, long, OwnedDescriptor, long)}.
     *
     * @param name not yet used in this memory
     * @param gpa its guest address, a multiple of 4096
     * @param size in bytes, a multiple of 4096
     * @param file lent, and sealed against shrinking; the memory keeps a duplicate
     * @param offset where the region begins in the file, in bytes, a multiple of 4096
     * @return this
     */
    public Builder region(String name, long gpa, long size, OwnedDescriptor file, long offset) {
      return orNothing(() -> memory.addRegion(name, gpa, size, file, offset));
    }

    /** {@return the memory, which the caller closes} */
    public GuestMemory build() {
      closeFiles();
      return memory;
    }

    private Builder orNothing(Runnable addition) {
      try {
        addition.run();
        return this;
      } catch (RuntimeException e) {
        closeFiles();
        memory.close();
        throw e;
      }
    }

    private void closeFiles() {
      files.values().forEach(MemoryFile::close);
      files.clear();
    }
  }

  /** {@return whether it has not been closed yet} */
  public boolean isOpen() {
    return layout.open();
  }

  /**
   * {@return the current regions; none when the memory is closed} This object owns their
   * descriptors.
   */
  public MemoryTable table() {
    return layout.table();
  }

  /**
   * Adds a region, all zero, in a sealed memory file of its own.
   *
   * @param name not yet used in this memory
   * @param gpa its guest address, a multiple of 4096
   * @param size in bytes, a multiple of 4096
   * @throws IllegalArgumentException when the region is not aligned, or overlaps another
   * @throws IllegalStateException when writes are tracked in a bitmap that ends below the region:
   *     give a larger bitmap first
   */
  public synchronized void addRegion(String name, long gpa, long size) {
    layout.requireOpen();
    add(BackingFile.create(ledger, name, size), name, gpa, size, 0);
  }

  /**
   * Adds a region that is a part of a file of the caller. The region has the content of the file.
   *
   * @param name not yet used in this memory
   * @param gpa its guest address, a multiple of 4096
   * @param size in bytes, a multiple of 4096
   * @param file the caller keeps it; this memory keeps one duplicate for all regions of the same
   *     file. The file must be sealed against shrinking: otherwise another holder could shorten it
   *     and make this process fault
   * @param offset where the region begins in the file, in bytes, a multiple of 4096
   * @throws io.github.jvhost.VhostException GIVE_UP when the file is not sealed, or ends before the
   *     region does
   * @throws IllegalArgumentException when the region is not aligned, overlaps another, or shares
   *     bytes of the file with another
   * @throws IllegalStateException when writes are tracked in a bitmap that ends below the region
   */
  public synchronized void addRegion(
      String name, long gpa, long size, OwnedDescriptor file, long offset) {
    layout.requireOpen();
    add(layout.fileOf(file).orElseGet(() -> BackingFile.of(file)), name, gpa, size, offset);
  }

  private void add(BackingFile file, String name, long gpa, long size, long offset) {
    BackedRegion added = BackedRegion.map(file, name, gpa, size, offset);
    try {
      MappedRegions larger = layout.with(added);
      requireRoomFor(larger.table(), writes);
      layout = larger;
    } catch (RuntimeException e) {
      added.close();
      throw e;
    }
  }

  /**
   * Removes a region and unmaps it. Closes its file unless another region uses it. Slices of the
   * region become invalid: they throw {@link IllegalStateException}. A back end has its own
   * mapping, which this memory does not know. If there is a back end, use {@link #retireRegion}.
   *
   * @param name of the region
   * @throws IllegalArgumentException when there is no such region
   */
  public synchronized void removeRegion(String name) {
    retireRegion(name).close();
  }

  /**
   * Removes a region from the table: accesses no longer find it, and front ends send its removal to
   * their back ends. The region stays mapped until the caller closes the result. Close it after the
   * last back end has acknowledged the removal. Until then a back end may write to the region.
   *
   * <pre>
   *   try (RetiredRegion dimm = memory.retireRegion("dimm1")) {
   *     devices.forEach(VhostNet::refresh);
   *   }
   * </pre>
   *
   * @param name of the region
   * @return the region, still mapped; the caller closes it
   * @throws IllegalArgumentException when there is no such region
   */
  public synchronized RetiredRegion retireRegion(String name) {
    layout.requireOpen();
    BackedRegion removed = layout.named(name);
    layout = layout.without(removed);
    return new RetiredRegion(removed);
  }

  /** {@return the sum of all regions' sizes, in bytes} */
  public long totalBytes() {
    return layout.table().totalBytes();
  }

  /** {@return how many 4 KiB pages of guest memory are resident, whichever process touched them} */
  public long residentPages() {
    return layout.backed().stream().mapToLong(b -> b.mapping().residentPages()).sum();
  }

  /**
   * Makes every later put through this object mark its pages, after the write, as KVM's dirty log
   * does for a real guest. A put that is running on another thread may not be marked, so call this
   * while the guest's threads are stopped. Writes through a {@link #slice} are not marked: see
   * {@link #written}.
   *
   * @param bitmap receives the marks, large enough for all regions; null ends the marking
   * @throws IllegalStateException when it ends below the last region
   */
  public synchronized void trackWrites(@Nullable DirtyBitmap bitmap) {
    requireRoomFor(layout.table(), bitmap);
    writes = bitmap;
  }

  /**
   * Marks the pages of a write through a slice, if writes are tracked. Call it after the write.
   *
   * @param gpa guest address of the first byte that was written
   * @param length in bytes; 0 or less marks nothing
   */
  public void written(long gpa, long length) {
    DirtyBitmap bitmap = writes;
    if (bitmap != null) {
      bitmap.mark(gpa, length);
    }
  }

  /**
   * {@return the bytes themselves, valid until their region is removed or this memory is closed}
   * Writes to them are not tracked.
   *
   * @param gpa guest address of the first byte
   * @param length in bytes, not negative
   * @throws GuestAddressException when {@code [gpa, +length)} is not within one region
   */
  public MemorySegment slice(long gpa, long length) {
    BackedRegion b = layout.find(gpa, length);
    return b.bytes().asSlice(gpa - b.region().guestAddress(), length);
  }

  /**
   * {@return the byte at a guest address}
   *
   * @param gpa the guest address
   */
  public byte getByte(long gpa) {
    BackedRegion b = layout.find(gpa, Byte.BYTES);
    return b.bytes().get(ValueLayout.JAVA_BYTE, gpa - b.region().guestAddress());
  }

  /**
   * {@return two bytes, little-endian}
   *
   * @param gpa guest address of the first byte
   */
  public short getShort(long gpa) {
    BackedRegion b = layout.find(gpa, Short.BYTES);
    return b.bytes().get(SHORT, gpa - b.region().guestAddress());
  }

  /**
   * {@return four bytes, little-endian}
   *
   * @param gpa guest address of the first byte
   */
  public int getInt(long gpa) {
    BackedRegion b = layout.find(gpa, Integer.BYTES);
    return b.bytes().get(INT, gpa - b.region().guestAddress());
  }

  /**
   * {@return eight bytes, little-endian}
   *
   * @param gpa guest address of the first byte
   */
  public long getLong(long gpa) {
    BackedRegion b = layout.find(gpa, Long.BYTES);
    return b.bytes().get(LONG, gpa - b.region().guestAddress());
  }

  /**
   * {@return two aligned bytes; the caller then sees all that the writer wrote before its release}
   *
   * @param gpa guest address of the first byte, a multiple of 2
   */
  public short getShortAcquire(long gpa) {
    BackedRegion b = findAligned(gpa, Short.BYTES);
    return (short) ORDERED_SHORT.getAcquire(b.bytes(), gpa - b.region().guestAddress());
  }

  /**
   * {@return four aligned bytes; the caller then sees all that the writer wrote before its release}
   *
   * @param gpa guest address of the first byte, a multiple of 4
   */
  public int getIntAcquire(long gpa) {
    BackedRegion b = findAligned(gpa, Integer.BYTES);
    return (int) ORDERED_INT.getAcquire(b.bytes(), gpa - b.region().guestAddress());
  }

  /**
   * Writes one byte.
   *
   * @param gpa its guest address
   * @param value what is written
   */
  public void putByte(long gpa, byte value) {
    BackedRegion b = layout.find(gpa, Byte.BYTES);
    b.bytes().set(ValueLayout.JAVA_BYTE, gpa - b.region().guestAddress(), value);
    written(gpa, Byte.BYTES);
  }

  /**
   * Writes two bytes, little-endian.
   *
   * @param gpa guest address of the first byte
   * @param value what is written
   */
  public void putShort(long gpa, short value) {
    BackedRegion b = layout.find(gpa, Short.BYTES);
    b.bytes().set(SHORT, gpa - b.region().guestAddress(), value);
    written(gpa, Short.BYTES);
  }

  /**
   * Writes four bytes, little-endian.
   *
   * @param gpa guest address of the first byte
   * @param value what is written
   */
  public void putInt(long gpa, int value) {
    BackedRegion b = layout.find(gpa, Integer.BYTES);
    b.bytes().set(INT, gpa - b.region().guestAddress(), value);
    written(gpa, Integer.BYTES);
  }

  /**
   * Writes eight bytes, little-endian.
   *
   * @param gpa guest address of the first byte
   * @param value what is written
   */
  public void putLong(long gpa, long value) {
    BackedRegion b = layout.find(gpa, Long.BYTES);
    b.bytes().set(LONG, gpa - b.region().guestAddress(), value);
    written(gpa, Long.BYTES);
  }

  /**
   * Writes two aligned bytes; a reader that acquires them sees all that was written before.
   *
   * @param gpa guest address of the first byte, a multiple of 2
   * @param value what is written
   */
  public void putShortRelease(long gpa, short value) {
    BackedRegion b = findAligned(gpa, Short.BYTES);
    ORDERED_SHORT.setRelease(b.bytes(), gpa - b.region().guestAddress(), value);
    written(gpa, Short.BYTES);
  }

  /**
   * Writes four aligned bytes; a reader that acquires them sees all that was written before.
   *
   * @param gpa guest address of the first byte, a multiple of 4
   * @param value what is written
   */
  public void putIntRelease(long gpa, int value) {
    BackedRegion b = findAligned(gpa, Integer.BYTES);
    ORDERED_INT.setRelease(b.bytes(), gpa - b.region().guestAddress(), value);
    written(gpa, Integer.BYTES);
  }

  /**
   * Copies all of {@code from} into the guest.
   *
   * @param gpa guest address of the first byte that is written
   * @param from all of its bytes are written; the caller keeps it
   */
  public void copyIn(long gpa, byte[] from) {
    copyIn(gpa, from, 0, from.length);
  }

  /**
   * Copies a part of {@code from} into the guest.
   *
   * @param gpa guest address of the first byte that is written
   * @param from the caller keeps it
   * @param offset where the part begins in {@code from}
   * @param length of the part, in bytes
   */
  public void copyIn(long gpa, byte[] from, int offset, int length) {
    BackedRegion b = layout.find(gpa, length);
    long at = gpa - b.region().guestAddress();
    MemorySegment.copy(from, offset, b.bytes(), ValueLayout.JAVA_BYTE, at, length);
    written(gpa, length);
  }

  /**
   * Fills {@code into} from the guest.
   *
   * @param gpa guest address of the first byte that is read
   * @param into all of it is filled
   */
  public void copyOut(long gpa, byte[] into) {
    copyOut(gpa, into, 0, into.length);
  }

  /**
   * Fills a part of {@code into} from the guest.
   *
   * @param gpa guest address of the first byte that is read
   * @param into the rest of it stays as it is
   * @param offset where the part begins in {@code into}
   * @param length of the part, in bytes
   */
  public void copyOut(long gpa, byte[] into, int offset, int length) {
    BackedRegion b = layout.find(gpa, length);
    long at = gpa - b.region().guestAddress();
    MemorySegment.copy(b.bytes(), ValueLayout.JAVA_BYTE, at, into, offset, length);
  }

  /**
   * Removes all regions for ever. A second call does nothing. Close the devices that use this
   * memory first: their back ends could otherwise go on writing to its files.
   */
  @Override
  public synchronized void close() {
    MappedRegions all = layout;
    layout = MappedRegions.CLOSED;
    for (BackedRegion b : all.backed()) {
      b.close();
    }
  }

  private BackedRegion findAligned(long gpa, int length) {
    if ((gpa & (length - 1)) != 0) {
      throw new GuestAddressException(gpa, length, "is not aligned");
    }
    return layout.find(gpa, length);
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
