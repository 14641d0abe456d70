package io.github.jvhost.sys.io;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * What both ends of a pipe have in common: a non-blocking descriptor, a poll before each call, and
 * native memory for the bytes, because a foreign call cannot access the heap.
 */
final class PipeEnd implements AutoCloseable {
  static final int TIMED_OUT = -1;

  /** The default capacity of a pipe (Linux, pipe(7)). One call cannot transfer more. */
  private static final int WINDOW = 64 * 1024;

  private final OwnedDescriptor descriptor;
  private final Poller poller = new Poller(1);
  private final MemorySegment window;
  private final MemorySegment state;

  PipeEnd(OwnedDescriptor descriptor) {
    this.descriptor = descriptor;
    Arena arena = Arena.ofAuto();
    this.window = arena.allocate(WINDOW);
    this.state = arena.allocate(Linux.CALL_STATE);
    try {
      String doing = "take over " + descriptor;
      int number = descriptor.number();
      int flags = Linux.check(Linux.fcntl(number, Linux.F_GETFL, 0), doing, "fcntl");
      Linux.check(Linux.fcntl(number, Linux.F_SETFL, flags | Linux.O_NONBLOCK), doing, "fcntl");
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  OwnedDescriptor descriptor() {
    return descriptor;
  }

  /**
   * Transfers bytes with one call. Returns their number, 0 at the end of the stream, or {@link
   * #TIMED_OUT}.
   */
  int transfer(int event, String call, ByteBuffer bytes, Deadline deadline) {
    MemorySegment part = window.asSlice(0, Math.min(WINDOW, bytes.remaining()));
    if (event == Poller.OUT) {
      MemorySegment source = MemorySegment.ofBuffer(bytes);
      part.copyFrom(source.asSlice(0, part.byteSize()));
    }
    while (true) {
      int number = descriptor.number();
      poller.clear();
      poller.add(number, event);
      if (poller.await(deadline.remainingNanos()) == 0) {
        return TIMED_OUT;
      }
      long count =
          event == Poller.IN ? Linux.read(state, number, part) : Linux.write(state, number, part);
      if (count >= 0) {
        if (event == Poller.IN) {
          bytes.put(part.asSlice(0, count).asByteBuffer());
        } else {
          bytes.position(bytes.position() + (int) count);
        }
        return (int) count;
      }
      // EINTR: a signal. EAGAIN: another holder of this end was faster.
      if (count != -Linux.EINTR && count != -Linux.EAGAIN) {
        throw new SystemCallException(call + " " + descriptor, call, (int) -count);
      }
    }
  }

  @Override
  public void close() {
    descriptor.close();
    poller.close();
  }
}
