package io.github.jvhost.sys;

import io.github.jvhost.sys.io.Linux;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An eventfd: a 64-bit counter in the kernel by which one side wakes the other. Kick, call and err
 * of a vring are such. It never blocks, it is close-on-exec, and neither {@link #signal} nor {@link
 * #drain} allocates.
 *
 * <p>Thread-safe. It owns its descriptor.
 */
public final class EventFd implements AutoCloseable {
  private static final long COUNTER_BYTES = Long.BYTES;

  private final OwnedDescriptor descriptor;
  // Guarded by this: two calls at once would share the counter's eight bytes and the errno. The
  // arena is the collector's,
  // since closing a shared arena stops all threads for a moment, and a VMM has thousands of
  // eventfds.
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
   * @param ledger where its descriptor is written down, as "eventfd " and {@code what}
   * @param what what it is for: "ring 3 kick"
   * @throws SystemCallException when no more descriptors are to be had
   */
  public static EventFd create(DescriptorLedger ledger, String what) {
    String name = "eventfd " + what;
    int number = Linux.check(Linux.eventfd(), "create " + name, "eventfd");
    return new EventFd(OwnedDescriptor.adopt(ledger, number, name));
  }

  /**
   * Takes over the descriptor of an eventfd that somebody else made. Should it block, it is made
   * non-blocking, which its other holders see too: it is a property of the open file. A peer must
   * not be able to hold a thread of ours in a signal.
   *
   * @param descriptor the descriptor of an eventfd; from here on this object's, also if this method
   *     throws
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
   * {@return the descriptor, still owned by this object: to be sent, polled or duplicated, not
   * closed}
   */
  public OwnedDescriptor descriptor() {
    return descriptor;
  }

  /**
   * Adds one to the counter: wakes who waits for it. A counter that is full is signalled already,
   * so there is nothing to add.
   *
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the descriptor is none of an eventfd
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
   * @throws SystemCallException when the descriptor is none of an eventfd
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
   * Waits until it is signalled, and sets it to 0 then. For a thread that waits for this one alone;
   * one that waits for several has a {@link Poller}.
   *
   * @param deadline an expired one only looks
   * @return how often it was signalled, 0 when the deadline has passed
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the descriptor is none of an eventfd
   */
  public long await(Deadline deadline) {
    try (Poller poller = new Poller(1)) {
      poller.add(descriptor.number(), Poller.IN);
      long signals = drain();
      // Somebody else may drain it between the wait and the look.
      while (signals == 0 && poller.await(deadline.remainingNanos()) > 0) {
        signals = drain();
      }
      return signals;
    }
  }

  /** Closes the descriptor; a second time does nothing. */
  @Override
  public synchronized void close() {
    descriptor.close();
  }

  @Override
  public String toString() {
    return descriptor.toString();
  }
}
