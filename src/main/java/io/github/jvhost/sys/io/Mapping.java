package io.github.jvhost.sys.io;

import io.github.jvhost.sys.OwnedDescriptor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A mapping of a part of a {@link MemoryFile} into this process. All processes that map the file
 * share the memory.
 *
 * <p>Any thread may use its segment until {@link #close}. After that, every access throws {@link
 * IllegalStateException} and does not reach memory that the system has mapped there since.
 */
public final class Mapping implements AutoCloseable {
  /** Bytes of a page of {@link #residentPages()}. */
  public static final int PAGE = 4096;

  /** The number of host pages per call of mincore. Each needs one byte for its flags. */
  private static final int PAGES_AT_ONCE = 1 << 16;

  private final String what;
  private final long address;
  private final MemorySegment segment;
  private final Arena arena;

  private Mapping(String what, long address, MemorySegment segment, Arena arena) {
    this.what = what;
    this.address = address;
    this.segment = segment;
    this.arena = arena;
  }

  /** Maps a part of a file. The caller has checked that the part is inside the file. */
  // The segment has the size of the mapping; the arena lives as long as the mapping.
  @SuppressWarnings({"restricted", "MustBeClosed"})
  static Mapping of(OwnedDescriptor file, long offset, long size) {
    String what = file.identity().what();
    long address =
        Linux.check(
            Linux.mmapShared(file.number(), offset, size),
            "map " + size + " bytes of " + what,
            "mmap");
    Arena arena = Arena.ofShared();
    MemorySegment segment =
        MemorySegment.ofAddress(address)
            .reinterpret(size, arena, mapped -> unmap(mapped.address(), size, what));
    return new Mapping(what, address, segment, arena);
  }

  /** {@return all of the mapping; after {@link #close} it cannot be accessed} */
  public MemorySegment segment() {
    return segment;
  }

  /** {@return the address of the mapping in this process, a multiple of the host's page size} */
  public long address() {
    return address;
  }

  /** {@return the size of the mapping in bytes} */
  public long size() {
    return segment.byteSize();
  }

  /**
   * {@return how many 4 KiB pages of this part of the file are resident, whichever process touched
   * them}
   *
   * @throws IllegalStateException when closed
   */
  public long residentPages() {
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("the mapping of " + what + " is closed");
    }
    long hostPages = (size() + Linux.PAGE_SIZE - 1) / Linux.PAGE_SIZE;
    long resident = 0;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment state = scratch.allocate(Linux.CALL_STATE);
      MemorySegment flags = scratch.allocate(Math.min(hostPages, PAGES_AT_ONCE));
      for (long first = 0; first < hostPages; first += PAGES_AT_ONCE) {
        long count = Math.min(hostPages - first, PAGES_AT_ONCE);
        Linux.check(
            Linux.mincore(state, address + first * Linux.PAGE_SIZE, count * Linux.PAGE_SIZE, flags),
            "count resident pages of " + what,
            "mincore");
        for (long i = 0; i < count; i++) {
          resident += flags.get(ValueLayout.JAVA_BYTE, i) & 1;
        }
      }
    }
    return resident * (Linux.PAGE_SIZE / PAGE);
  }

  /**
   * Removes the mapping. Threads that use the segment at this moment get an {@link
   * IllegalStateException}. A second call does nothing.
   *
   * @throws IllegalStateException when a system call is using the segment right now
   */
  @Override
  public synchronized void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  private static void unmap(long address, long size, String what) {
    Linux.check(Linux.munmap(address, size), "unmap " + what, "munmap");
  }
}
