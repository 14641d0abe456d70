package io.github.jvhost.sys.io;

import io.github.jvhost.sys.OwnedDescriptor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A part of a {@link MemoryFile} in this process's address space, shared with everybody who maps
 * the same file.
 *
 * <p>Its segment may be used by any thread until {@link #close}; after that every access throws
 * {@link IllegalStateException} instead of reaching whatever the system has put there since.
 */
public final class Mapping implements AutoCloseable {
  /** The page of {@link #residentPages()}, in bytes. */
  public static final int PAGE = 4096;

  /** How many host pages one mincore asks for: their flags take one byte each. */
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

  /** Maps a part that the caller has checked to be inside the file. */
  // A segment of the size that the system has just mapped; the arena lives as long as the mapping.
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

  /** {@return all of the mapping; no longer accessible after {@link #close}} */
  public MemorySegment segment() {
    return segment;
  }

  /** {@return where the mapping begins in this process, a multiple of the host's page size} */
  public long address() {
    return address;
  }

  /** {@return how long the mapping is, in bytes} */
  public long size() {
    return segment.byteSize();
  }

  /**
   * {@return how many 4 KiB pages of this part of the file are in memory, whoever touched them}
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
   * Unmaps. Threads that use the segment at this moment get an {@link IllegalStateException}. A
   * second time does nothing.
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
