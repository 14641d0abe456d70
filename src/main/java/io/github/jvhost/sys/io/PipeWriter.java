package io.github.jvhost.sys.io;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.nio.ByteBuffer;

/**
 * Writes into a pipe, or any other stream that comes as a descriptor, without ever waiting longer
 * than a deadline. One thread at a time. It owns its descriptor; closing it is what tells the
 * reader that this was all.
 */
public final class PipeWriter implements AutoCloseable {
  private final PipeEnd end;

  private PipeWriter(PipeEnd end) {
    this.end = end;
  }

  /**
   * Takes over a writing end and makes it non-blocking; whoever shares this very end sees that too.
   *
   * @param descriptor from here on this object's, also if this method throws
   * @return the writer, which the caller closes
   * @throws SystemCallException when the system refuses
   */
  public static PipeWriter adopt(OwnedDescriptor descriptor) {
    return new PipeWriter(new PipeEnd(descriptor));
  }

  /** {@return the descriptor, still owned by this object: to be polled, not closed} */
  public OwnedDescriptor descriptor() {
    return end.descriptor();
  }

  /**
   * Writes what there is room for, waiting until there is some.
   *
   * @param from gives the bytes from its position on, which moves
   * @param deadline an expired one only tries
   * @return how many bytes were taken; 0 when the reader made no room in time, or {@code from} is
   *     empty
   * @throws IllegalStateException when closed
   * @throws SystemCallException when nobody reads any more (EPIPE), or the system refuses
   */
  public int write(ByteBuffer from, Deadline deadline) {
    if (!from.hasRemaining()) {
      return 0;
    }
    int count = end.transfer(Poller.OUT, "write", from, deadline);
    return count == PipeEnd.TIMED_OUT ? 0 : count;
  }

  /** Closes the descriptor; a second time does nothing. */
  @Override
  public void close() {
    end.close();
  }
}
