package io.github.jvhost.memory;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Objects;

/**
 * One stretch of guest memory and the file behind it, as a back end is told (vhost-user "Memory
 * region description").
 *
 * <p>Two regions are equal when everything a back end would see of them is: descriptors compare by
 * the file they stand for, so a region that was removed and added again with a new file is another
 * one.
 *
 * <p>Immutable, and so thread-safe, but for the file: that is good until the region is removed.
 *
 * @param name of the front end's choosing, unique within a table; the same on both sides of a
 *     migration
 * @param guestAddress guest-physical address of its first byte, a multiple of {@link #PAGE}
 * @param size in bytes, a multiple of {@link #PAGE}, not 0
 * @param userAddress the label by which ring addresses within it are told; no two regions of a
 *     table overlap in it either
 * @param fileOffset where it begins in the file, a multiple of {@link #PAGE}
 * @param file its file; lent by the memory's owner, good until the region is removed
 */
public record MemoryRegion(
    String name,
    long guestAddress,
    long size,
    long userAddress,
    long fileOffset,
    OwnedDescriptor file) {

  /**
   * The page to which regions are aligned and by which writes are logged, in bytes, on every host.
   */
  public static final long PAGE = 4096;

  /** Guest-physical addresses have at most 52 bits on the machines that there are. */
  public static final long ADDRESS_LIMIT = 1L << 52;

  /** Checks alignment and ranges. */
  public MemoryRegion {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(file, "file");
    if (((guestAddress | size | userAddress | fileOffset) & (PAGE - 1)) != 0) {
      throw wrong(name, guestAddress, size, "is not aligned to " + PAGE + " bytes");
    }
    if (guestAddress < 0 || size <= 0 || size > ADDRESS_LIMIT - guestAddress) {
      throw wrong(name, guestAddress, size, "is not within 52 bits of guest address");
    }
    if (userAddress < 0 || size > Long.MAX_VALUE - userAddress) {
      throw wrong(name, guestAddress, size, "has user address " + userAddress);
    }
    if (fileOffset < 0 || size > Long.MAX_VALUE - fileOffset) {
      throw wrong(name, guestAddress, size, "has file offset " + fileOffset);
    }
  }

  /** {@return the first guest address after it} */
  public long end() {
    return guestAddress + size;
  }

  /**
   * {@return whether {@code [gpa, +length)} lies within it; an empty stretch may also begin at its
   * end}
   *
   * @param gpa guest address of the first byte
   * @param length in bytes; a negative one lies nowhere
   */
  public boolean contains(long gpa, long length) {
    // Overflow: gpa - guestAddress wraps only for a negative gpa, and then to a value far beyond
    // any size.
    long offset = gpa - guestAddress;
    return length >= 0 && offset >= 0 && offset <= size - length;
  }

  @Override
  public String toString() {
    return name + " 0x" + Long.toHexString(guestAddress) + "..0x" + Long.toHexString(end() - 1);
  }

  private static IllegalArgumentException wrong(
      String name, long guestAddress, long size, String problem) {
    return new IllegalArgumentException(
        "memory region "
            + name
            + " at 0x"
            + Long.toHexString(guestAddress)
            + " of "
            + size
            + " bytes "
            + problem);
  }
}
