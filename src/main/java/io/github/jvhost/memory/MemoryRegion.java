package io.github.jvhost.memory;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Objects;

/**
 * One region of guest memory and its file, as a back end receives it (vhost-user "Memory region
 * description").
 *
 * <p>Two regions are equal when all that a back end receives of them is equal. Descriptors are
 * equal when they are the same open file. So a region that was removed and added again with a new
 * file is a different region.
 *
 * <p>Immutable, and so thread-safe. The file is valid until the region is removed.
 *
 * @param name chosen by the front end, unique within a table; the same on both sides of a migration
 * @param guestAddress guest-physical address of its first byte, a multiple of {@link #PAGE}
 * @param size in bytes, a multiple of {@link #PAGE}, not 0
 * @param userAddress the user address of its first byte; ring addresses are sent as user addresses.
 *     The user addresses of two regions of a table do not overlap
 * @param fileOffset where it begins in the file, a multiple of {@link #PAGE}
 * @param file its file; the owner of the memory owns it, and it is valid until the region is
 *     removed
 */
public record MemoryRegion(
    String name,
    long guestAddress,
    long size,
    long userAddress,
    long fileOffset,
    OwnedDescriptor file) {

  /**
   * The page size in bytes, on every host. Regions are aligned to it, and writes are logged by it.
   */
  public static final long PAGE = 4096;

  /** Existing machines have guest-physical addresses of at most 52 bits. */
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
   * {@return whether {@code [gpa, +length)} is within the region; an empty range may also begin at
   * its end}
   *
   * @param gpa guest address of the first byte
   * @param length in bytes; false when negative
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
