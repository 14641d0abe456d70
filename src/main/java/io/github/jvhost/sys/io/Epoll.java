package io.github.jvhost.sys.io;

import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/**
 * Waits until one of many descriptors can be read or written. The cost depends on how many are
 * ready, not on how many are watched. Each descriptor is reported once (EPOLLONESHOT); the caller
 * watches it again or does nothing. So a descriptor need not be removed. Neither {@link #watch} nor
 * {@link #await} allocates.
 *
 * <pre>
 *   struct epoll_event      x86-64, packed             arm64
 *                           0        4      12         0        8      16
 *                           | events | data |          | events | data |
 * </pre>
 *
 * <p>Descriptors are borrowed. When their owner closes one, it is no longer watched. For one thread
 * at a time, not always the same one. Its own descriptor never leaves this object, so no ledger
 * records it.
 */
public final class Epoll implements AutoCloseable {
  private static final int EPOLLIN = 0x1;
  private static final int EPOLLOUT = 0x4;
  private static final int EPOLLONESHOT = 1 << 30;
  private static final int CLOSED = -1;

  /** The most descriptors that one wait reports. The next wait reports the others. */
  private static final int BATCH = 64;

  private static final boolean PACKED = System.getProperty("os.arch", "").equals("amd64");
  private static final long EVENT_BYTES = PACKED ? 12 : 16;
  private static final long DATA = PACKED ? 4 : 8;

  private final MemorySegment event;
  private final MemorySegment events;
  private final MemorySegment state;
  private int number;
  private int count;

  /**
   * Makes an epoll instance that watches nothing.
   *
   * @throws SystemCallException no more descriptors are available
   */
  public Epoll() {
    // The garbage collector frees it: closing a shared arena stops all threads for a moment.
    Arena arena = Arena.ofAuto();
    event = arena.allocate(EVENT_BYTES, Long.BYTES);
    events = arena.allocate(BATCH * EVENT_BYTES, Long.BYTES);
    state = arena.allocate(Linux.CALL_STATE);
    number = Linux.check(Linux.epollCreate(), "watch descriptors", "epoll_create1");
  }

  /**
   * Reports a descriptor once, when it can be read or its peer has hung up. This includes a
   * descriptor that is already ready.
   *
   * @param fd its number, borrowed
   * @param key the value that {@link #key} then returns
   * @throws SystemCallException the descriptor is not open, or cannot be polled
   */
  public void watch(int fd, int key) {
    watch(fd, key, false);
  }

  /**
   * The same, and also reports it when a write would not block.
   *
   * @param fd its number, borrowed
   * @param key the value that {@link #key} then returns
   * @param output whether to report it for that
   * @throws SystemCallException the descriptor is not open, or cannot be polled
   */
  public void watch(int fd, int key, boolean output) {
    int wanted = output ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.set(ValueLayout.JAVA_INT_UNALIGNED, 0, wanted | EPOLLONESHOT);
    event.set(ValueLayout.JAVA_LONG_UNALIGNED, DATA, key);
    int result = Linux.epollControl(state, open(), Linux.EPOLL_CTL_ADD, fd, event);
    if (result == -Linux.EEXIST) {
      result = Linux.epollControl(state, number, Linux.EPOLL_CTL_MOD, fd, event);
    }
    if (result < 0) { // not by check(): its message would be a new string in each call
      throw new SystemCallException("watch descriptor " + fd, "epoll_ctl", -result);
    }
  }

  /**
   * Waits until at least one descriptor is ready.
   *
   * @param timeoutNanos the longest wait, rounded up to a millisecond; with 0 or less it returns at
   *     once
   * @return how many are reported, at most 64; 0 when the time has passed or a signal interrupted
   *     the wait
   * @throws SystemCallException when the system refuses
   */
  public int await(long timeoutNanos) {
    long millis = (Math.max(0, timeoutNanos) + 999_999) / 1_000_000;
    int wait = (int) Math.min(millis, TimeUnit.DAYS.toMillis(1));
    int result = Linux.epollWait(state, open(), events, BATCH, wait);
    if (result < 0 && result != -Linux.EINTR) {
      throw new SystemCallException("wait for descriptors", "epoll_wait", -result);
    }
    count = Math.max(0, result);
    return count;
  }

  /**
   * Says which descriptor the last wait reported.
   *
   * @param index from 0, below the result of {@link #await}
   * @return the key that was passed to {@link #watch}
   */
  public int key(int index) {
    Objects.checkIndex(index, count);
    return events.get(ValueLayout.JAVA_INT_UNALIGNED, index * EVENT_BYTES + DATA);
  }

  private int open() {
    if (number == CLOSED) {
      throw new IllegalStateException("it is closed");
    }
    return number;
  }

  /** Stops watching. The descriptors stay open. A second call does nothing. */
  @Override
  public void close() {
    if (number != CLOSED) {
      Linux.close(number);
      number = CLOSED;
    }
  }
}
