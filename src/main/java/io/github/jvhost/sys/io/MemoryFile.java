package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * A file of memory that can be shared with another process by sending its descriptor: guest RAM, a
 * dirty log, an inflight region.
 *
 * <p>Ours are memfds sealed so that their size can never change. That is the promise to the peer,
 * and ours to ourselves: access to a mapping beyond the end of its file is a SIGBUS, which a JVM
 * turns into an error at a random place. For a file that a peer made, {@link
 * #sealedAgainstShrinking} says whether it can do that to us.
 *
 * <p>Thread-safe. It owns its descriptor; mappings made from it live on after {@link #close}, as
 * the kernel has it.
 */
public final class MemoryFile implements AutoCloseable {
  private static final int SIZE_IS_FINAL =
      Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;

  private final OwnedDescriptor descriptor;
  private final long size;
  private final boolean sealedAgainstShrinking;

  private MemoryFile(OwnedDescriptor descriptor, long size, boolean sealedAgainstShrinking) {
    this.descriptor = descriptor;
    this.size = size;
    this.sealedAgainstShrinking = sealedAgainstShrinking;
  }

  /**
   * A new memory file, all zero, that takes up memory only where it was touched, sealed against any
   * change of its size.
   *
   * @param ledger where its descriptor is written down, as "memfd " and {@code name}
   * @param name what it is for; the system shows it in its lists of mappings. At most 249 bytes
   * @param size in bytes, more than 0
   * @return the file, which the caller closes
   * @throws SystemCallException when the system has not enough descriptors, or refuses the size
   */
  public static MemoryFile create(DescriptorLedger ledger, String name, long size) {
    if (size <= 0) {
      throw new IllegalArgumentException("memory file " + name + " of " + size + " bytes");
    }
    String what = "memfd " + name;
    String doing = "create " + what + " of " + size + " bytes";
    int number = Linux.check(Linux.memfdCreate(name), doing, "memfd_create");
    OwnedDescriptor descriptor = OwnedDescriptor.adopt(ledger, number, what);
    try {
      Linux.check(Linux.ftruncate(number, size), doing, "ftruncate");
      Linux.check(Linux.fcntl(number, Linux.F_ADD_SEALS, SIZE_IS_FINAL), doing, "fcntl");
      return new MemoryFile(descriptor, size, true);
    } catch (RuntimeException e) {
      descriptor.close();
      throw e;
    }
  }

  /**
   * Takes over the descriptor of a file that somebody else made, and asks the system for its size
   * and seals.
   *
   * @param descriptor from here on this object's, also if this method throws
   * @return the file, which the caller closes
   * @throws SystemCallException when the system cannot tell
   */
  public static MemoryFile adopt(OwnedDescriptor descriptor) {
    try {
      String doing = "take over " + descriptor;
      int number = descriptor.number();
      // Seals first: a size that was read before the seal was seen may be an old one.
      int seals = Linux.fcntl(number, Linux.F_GET_SEALS, 0);
      if (seals == -Linux.EINVAL) {
        seals = 0; // a kind of file that has no seals
      }
      Linux.check(seals, doing, "fcntl");
      long size = Linux.check(Linux.fileSize(number), doing, "fstat");
      return new MemoryFile(descriptor, size, (seals & Linux.F_SEAL_SHRINK) != 0);
    } catch (RuntimeException e) {
      descriptor.close();
      throw e;
    }
  }

  /**
   * Reads a part of a file without mapping it: a peer that shortens the file then costs a short
   * read, and not the process.
   *
   * @param file stays its owner's
   * @param offset in bytes, not negative
   * @param into filled from the beginning
   * @return bytes read, fewer than asked for at the end of the file
   * @throws SystemCallException when the system refuses
   */
  public static int read(OwnedDescriptor file, long offset, byte[] into) {
    int done = 0;
    while (done < into.length) {
      long count =
          Linux.check(
              Linux.pread(file.number(), into, done, offset + done),
              "reading " + file + " at " + offset,
              "pread");
      if (count == 0) {
        break;
      }
      done += (int) count;
    }
    return done;
  }

  /**
   * {@return the file's size in bytes; for an adopted file without seals, what it was when it was
   * adopted}
   */
  public long size() {
    return size;
  }

  /**
   * {@return whether the file's size can never become less than {@link #size()}, whoever else holds
   * it}
   */
  public boolean sealedAgainstShrinking() {
    return sealedAgainstShrinking;
  }

  /** {@return the descriptor, still owned by this object: to be sent or duplicated, not closed} */
  public OwnedDescriptor descriptor() {
    return descriptor;
  }

  /**
   * Maps a part of the file, shared with all others who map it, readable and writable.
   *
   * @param offset in bytes, a multiple of the host's page size
   * @param length in bytes, more than 0; it may exceed 2 GiB
   * @return the mapping, which the caller closes
   * @throws IllegalArgumentException when the part is not inside the file, or not aligned
   * @throws IllegalStateException when this file is closed
   * @throws SystemCallException when the system refuses
   */
  public Mapping map(long offset, long length) {
    if (offset < 0 || length <= 0 || length > size - offset) {
      throw new IllegalArgumentException(
          "map " + length + " bytes at " + offset + " of " + descriptor + ", which has " + size);
    }
    if (offset % Linux.PAGE_SIZE != 0) {
      throw new IllegalArgumentException(
          "map " + descriptor + " at " + offset + ", no multiple of " + Linux.PAGE_SIZE);
    }
    return Mapping.of(descriptor, offset, length);
  }

  /** Closes the descriptor; mappings stay. A second time does nothing. */
  @Override
  public void close() {
    descriptor.close();
  }

  @Override
  public String toString() {
    return descriptor + ", " + size + " bytes";
  }
}
