package io.github.jvhost.sys.io;

import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * Waits until one of several descriptors is ready, or a time has passed. A wait allocates nothing.
 *
 * <pre>
 *   struct pollfd, one per descriptor        struct timespec
 *   0        4         6          8          0         8         16
 *   | int fd | events  | revents  |          | seconds | nanos   |
 * </pre>
 *
 * <p>Descriptors are borrowed: their owners keep them open during the wait. For one thread at a
 * time, not always the same one.
 */
public final class Poller implements AutoCloseable {
  /** There are bytes to read, or the peer will send no more. */
  public static final int IN = 0x01;

  /** A write would not block. */
  public static final int OUT = 0x04;

  /** The descriptor has failed. Always reported. */
  public static final int ERR = 0x08;

  /** The peer has hung up. Always reported. */
  public static final int HUP = 0x10;

  /** The number is not an open descriptor. Always reported. */
  public static final int INVALID = 0x20;

  private static final long ENTRY_BYTES = 8;
  private static final long EVENTS = 4;
  private static final long RETURNED = 6;
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  private final int capacity;
  private final MemorySegment entries;
  private final MemorySegment timeout;
  private final MemorySegment state;
  private int count;
  private volatile boolean closed;

  /**
   * Makes a poller without descriptors.
   *
   * @param capacity how many descriptors it can watch, at least 1
   */
  public Poller(int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a poller for " + capacity + " descriptors");
    }
    this.capacity = capacity;
    // The garbage collector frees it: the kernel writes to it until a wait has ended, also when
    // another thread closes the poller meanwhile.
    Arena arena = Arena.ofAuto();
    this.entries = arena.allocate(capacity * ENTRY_BYTES, Long.BYTES);
    this.timeout = arena.allocate(2 * (long) Long.BYTES, Long.BYTES);
    this.state = arena.allocate(Linux.CALL_STATE);
  }

  /** Removes all descriptors from the poller. */
  public void clear() {
    count = 0;
  }

  /**
   * Adds a descriptor for the following waits.
   *
   * @param fd its number, borrowed; a negative one is never ready
   * @param events {@link #IN}, {@link #OUT} or both
   * @return its index for {@link #ready}
   * @throws IllegalStateException when the poller is full
   */
  public int add(int fd, int events) {
    if (count == capacity) {
      throw new IllegalStateException("a poller for " + capacity + " descriptors is full");
    }
    long at = count * ENTRY_BYTES;
    entries.set(ValueLayout.JAVA_INT, at, fd);
    entries.set(ValueLayout.JAVA_SHORT, at + EVENTS, (short) events);
    entries.set(ValueLayout.JAVA_SHORT, at + RETURNED, (short) 0);
    return count++;
  }

  /**
   * Waits until at least one descriptor is ready. Signals neither end the wait nor make it longer.
   *
   * @param timeoutNanos the longest wait; with 0 or less it returns at once
   * @return how many descriptors are ready, 0 when the time has passed
   * @throws SystemCallException when the system refuses
   * @throws IllegalStateException when closed
   */
  public int await(long timeoutNanos) {
    if (closed) {
      throw new IllegalStateException("the poller is closed");
    }
    long remaining = Math.max(0, timeoutNanos);
    // Reading the clock costs as much as a system call, and is not needed without a wait.
    long start = remaining == 0 ? 0 : System.nanoTime();
    while (true) {
      timeout.set(ValueLayout.JAVA_LONG, 0, remaining / NANOS_PER_SECOND);
      timeout.set(ValueLayout.JAVA_LONG, Long.BYTES, remaining % NANOS_PER_SECOND);
      int result = Linux.ppoll(state, entries, count, timeout);
      if (result >= 0) {
        return result;
      }
      if (result != -Linux.EINTR) {
        throw new SystemCallException(
            "wait for one of " + count + " descriptors", "ppoll", -result);
      }
      remaining = remaining == 0 ? 0 : Math.max(0, timeoutNanos - (System.nanoTime() - start));
    }
  }

  /**
   * Says what the last wait found for a descriptor.
   *
   * @param index the result of {@link #add}
   * @return a combination of {@link #IN}, {@link #OUT}, {@link #ERR}, {@link #HUP}, {@link
   *     #INVALID}; 0 = not ready
   */
  public int ready(int index) {
    Objects.checkIndex(index, count);
    return entries.get(ValueLayout.JAVA_SHORT, index * ENTRY_BYTES + RETURNED);
  }

  /**
   * Ends the use of the poller. The descriptors stay open. A wait of another thread goes on until
   * its end. A second call does nothing.
   */
  @Override
  public void close() {
    closed = true;
  }
}
