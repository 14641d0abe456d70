package io.github.jvhost.testkit.guest;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;

/**
 * The guest's access to its memory: the accessors of {@link GuestMemory}, which record each write
 * for a migration, and a bump allocator whose cursor is in guest memory too.
 *
 * <pre>
 *   base      +8          +16
 *   +---------+-----------+---------------- - -
 *   | cursor  | end       | rest of the boot block
 *   +---------+-----------+---------------- - -
 * </pre>
 */
final class GuestRam {
  static final int PAGE = 4096;

  private static final long CURSOR = 0;
  private static final long END = 8;

  private final GuestMemory memory;
  private final long base;

  GuestRam(GuestMemory memory, long base) {
    this.memory = memory;
    this.base = base;
  }

  /**
   * Sets up the allocator for the memory from {@code reserved} bytes behind the base to the end of
   * the region.
   */
  void format(long reserved) {
    MemoryRegion region =
        memory.table().regions().stream()
            .filter(r -> r.guestAddress() <= base && base - r.guestAddress() < r.size())
            .findFirst()
            .orElseThrow(() -> failure("there is no memory at 0x" + Long.toHexString(base)));
    putLong(base + CURSOR, base + reserved);
    putLong(base + END, region.guestAddress() + region.size());
  }

  /**
   * Allocates memory filled with zeros. It is never freed.
   *
   * @param bytes more than 0
   * @param alignment a power of two
   */
  long allocate(long bytes, long alignment) {
    long at = getLong(base + CURSOR) + alignment - 1 & -alignment;
    long end = getLong(base + END);
    if (at + bytes > end) {
      throw failure(bytes + " more bytes do not fit in front of 0x" + Long.toHexString(end));
    }
    putLong(base + CURSOR, at + bytes);
    zero(at, bytes);
    return at;
  }

  /** Allocates whole pages that hold nothing else. */
  long allocatePages(long bytes) {
    return allocate((bytes + PAGE - 1) / PAGE * PAGE, PAGE);
  }

  void zero(long gpa, long bytes) {
    byte[] zeros = new byte[(int) Math.min(bytes, 1 << 16)];
    for (long done = 0; done < bytes; done += zeros.length) {
      int part = (int) Math.min(zeros.length, bytes - done);
      memory.copyIn(gpa + done, part == zeros.length ? zeros : new byte[part]);
    }
  }

  byte getByte(long gpa) {
    return memory.getByte(gpa);
  }

  int getShort(long gpa) {
    return memory.getShort(gpa) & 0xffff;
  }

  int getShortAcquire(long gpa) {
    return memory.getShortAcquire(gpa) & 0xffff;
  }

  int getInt(long gpa) {
    return memory.getInt(gpa);
  }

  long getLong(long gpa) {
    return memory.getLong(gpa);
  }

  void putByte(long gpa, int value) {
    memory.putByte(gpa, (byte) value);
  }

  void putShort(long gpa, int value) {
    memory.putShort(gpa, (short) value);
  }

  void putShortRelease(long gpa, int value) {
    memory.putShortRelease(gpa, (short) value);
  }

  void putInt(long gpa, int value) {
    memory.putInt(gpa, value);
  }

  void putLong(long gpa, long value) {
    memory.putLong(gpa, value);
  }

  void write(long gpa, byte[] bytes) {
    memory.copyIn(gpa, bytes);
  }

  byte[] read(long gpa, int bytes) {
    byte[] copy = new byte[bytes];
    memory.copyOut(gpa, copy);
    return copy;
  }

  /** Returns the exception for invalid contents of memory, or for an invalid request. */
  VhostException failure(String what) {
    return new VhostException(
        "guest at 0x" + Long.toHexString(base) + ": " + what, Recovery.GIVE_UP);
  }
}
