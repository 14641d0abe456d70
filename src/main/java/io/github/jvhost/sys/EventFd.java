package io.github.jvhost.sys;

import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An eventfd: a 64-bit counter in the kernel by which one side wakes the other. Kick, call and err
 * of a vring are eventfds. It never blocks, it is close-on-exec, and neither {@link #signal} nor
 * {@link #drain} allocates.
 *
 * <p>Thread-safe. It owns its descriptor.
 */
public final class EventFd implements AutoCloseable {
  private static final long COUNTER_BYTES = Long.BYTES;

  private final OwnedDescriptor descriptor;
  // Guarded by this: two calls at once would share the counter's eight bytes and the errno. The
  // garbage collector frees the arena, because closing a shared arena stops all threads for a
  // moment, and a VMM has thousands of eventfds.
  private final MemorySegment counter;
  private final MemorySegment state;

  private EventFd(OwnedDescriptor descriptor) {
    this.descriptor = descriptor;
    Arena arena = Arena.ofAuto();
    this.counter = arena.allocate(COUNTER_BYTES, COUNTER_BYTES);
    this.state = arena.allocate(Linux.CALL_STATE);
  }

  /**
   * {@return a new eventfd that is not signalled; the caller closes it}
   *
   * @param ledger records its descriptor, as "eventfd " and {@code what}
   * @param what its purpose: "ring 3 kick"
   * @throws SystemCallException when no more descriptors are available
   */
  public static EventFd create(DescriptorLedger ledger, String what) {
    String name = "eventfd " + what;
    int number = Linux.check(Linux.eventfd(), "create " + name, "eventfd");
    return new EventFd(OwnedDescriptor.adopt(ledger, number, name));
  }

  /**
   * Takes over the descriptor of an eventfd that another component created. Makes it non-blocking,
   * so that a peer cannot block a thread in {@link #signal}. This is a property of the open file,
   * so it changes for all holders.
   *
   * @param descriptor the descriptor of an eventfd; this object owns it from now on, even if this
   *     method throws
   * @return the eventfd, which the caller closes
   */
  public static EventFd adopt(OwnedDescriptor descriptor) {
    try {
      String doing = "take over " + descriptor;
      int number = descriptor.number();
      int flags = Linux.check(Linux.fcntl(number, Linux.F_GETFL, 0), doing, "fcntl");
      if ((flags & Linux.O_NONBLOCK) == 0) {
        Linux.check(Linux.fcntl(number, Linux.F_SETFL, flags | Linux.O_NONBLOCK), doing, "fcntl");
      }
      return new EventFd(descriptor);
    } catch (RuntimeException e) {
      descriptor.close();
      throw e;
    }
  }

  /**
   * {@return the descriptor, still owned by this object: the caller may send, poll or duplicate it,
   * but not close it}
   */
  public OwnedDescriptor descriptor() {
    return descriptor;
  }

  /**
   * Adds one to the counter, which wakes the threads that wait for it. A full counter is already
   * signalled, so it is left as it is.
   *
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the descriptor is not that of an eventfd
   */
  public synchronized void signal() {
    int number = descriptor.number();
    counter.set(ValueLayout.JAVA_LONG, 0, 1);
    long result;
    do {
      result = Linux.write(state, number, counter);
    } while (result == -Linux.EINTR);
    if (result < 0 && result != -Linux.EAGAIN) {
      throw new SystemCallException("signal " + descriptor, "write", (int) -result);
    }
  }

  /**
   * Reads the counter and sets it to 0.
   *
   * @return how often it was signalled since the last time (unsigned), 0 if it was not
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the descriptor is not that of an eventfd
   */
  public synchronized long drain() {
    int number = descriptor.number();
    counter.set(ValueLayout.JAVA_LONG, 0, 0);
    long result;
    do {
      result = Linux.read(state, number, counter);
    } while (result == -Linux.EINTR);
    if (result == -Linux.EAGAIN) {
      return 0;
    }
    if (result < 0) {
      throw new SystemCallException("drain " + descriptor, "read", (int) -result);
    }
    return counter.get(ValueLayout.JAVA_LONG, 0);
  }

  /**
   * Waits until it is signalled, and then sets it to 0. For a thread that waits for one eventfd. A
   * thread that waits for several uses a {@link Poller}.
   *
   * @param deadline an expired one makes this return at once
   * @return how often it was signalled, 0 when the deadline has passed
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the descriptor is not that of an eventfd
   */
  public long await(Deadline deadline) {
    try (Poller poller = new Poller(1)) {
      poller.add(descriptor.number(), Poller.IN);
      long signals = drain();
      // Another thread may drain it between the wait and the read.
      while (signals == 0 && poller.await(deadline.remainingNanos()) > 0) {
        signals = drain();
      }
      return signals;
    }
  }

  /** Closes the descriptor. A second call does nothing. */
  @Override
  public synchronized void close() {
    descriptor.close();
  }

  @Override
  public String toString() {
    return descriptor.toString();
  }
}
