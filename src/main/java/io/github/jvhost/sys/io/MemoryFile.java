package io.github.jvhost.sys.io;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;

/**
 * A file of memory that can be shared with another process by sending its descriptor: guest RAM, a
 * dirty log, an inflight region.
 *
 * <p>A file that {@link #create} makes is a memfd, sealed so that its size never changes. Both this
 * process and the peer rely on it: an access to a mapping beyond the end of its file raises SIGBUS,
 * which the JVM reports as an error at a random place. For a file of a peer, {@link
 * #sealedAgainstShrinking} says whether the peer can shorten it.
 *
 * <p>Thread-safe. It owns its descriptor. Its mappings stay valid after {@link #close}.
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
   * Creates a memory file of zeros, sealed against any change of its size. The system allocates a
   * page when it is first touched.
   *
   * @param ledger records its descriptor, as "memfd " and {@code name}
   * @param name its purpose, at most 249 bytes; the system shows it in its lists of mappings
   * @param size in bytes, more than 0
   * @return the file, which the caller closes
   * @throws SystemCallException when no more descriptors are available, or the system refuses the
   *     size
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
   * Takes over the descriptor of a file that another component created, and asks the system for its
   * size and seals.
   *
   * @param descriptor this object owns it from now on, even if this method throws
   * @return the file, which the caller closes
   * @throws SystemCallException when the system does not return the size
   */
  public static MemoryFile adopt(OwnedDescriptor descriptor) {
    try {
      String doing = "take over " + descriptor;
      int number = descriptor.number();
      // Read the seals first: a size that was read before the seals may be out of date.
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
   * Reads a part of a file without mapping it. If a peer shortens the file, the result is a short
   * read and not a SIGBUS.
   *
   * @param file its owner keeps it
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
   * {@return the file's size in bytes; for an adopted file without seals, the size at that time}
   */
  public long size() {
    return size;
  }

  /**
   * {@return whether the system prevents all holders from making the file shorter than {@link
   * #size()}}
   */
  public boolean sealedAgainstShrinking() {
    return sealedAgainstShrinking;
  }

  /**
   * {@return the descriptor, still owned by this object: the caller may send or duplicate it, but
   * not close it}
   */
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

  /** Closes the descriptor. Mappings stay valid. A second call does nothing. */
  @Override
  public void close() {
    descriptor.close();
  }

  @Override
  public String toString() {
    return descriptor + ", " + size + " bytes";
  }
}
