package io.github.jvhost.sys.io;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.nio.ByteBuffer;

/**
 * Writes into a pipe, or any other stream with a descriptor. It never waits beyond a deadline. One
 * thread at a time. It owns its descriptor. Closing it ends the stream for the reader.
 */
public final class PipeWriter implements AutoCloseable {
  private final PipeEnd end;

  private PipeWriter(PipeEnd end) {
    this.end = end;
  }

  /**
   * Takes over a writing end and makes it non-blocking, for all holders of this end.
   *
   * @param descriptor this object owns it from now on, even if this method throws
   * @return the writer, which the caller closes
   * @throws SystemCallException when the system refuses
   */
  public static PipeWriter adopt(OwnedDescriptor descriptor) {
    return new PipeWriter(new PipeEnd(descriptor));
  }

  /**
   * {@return the descriptor, still owned by this object: the caller may poll it, but not close it}
   */
  public OwnedDescriptor descriptor() {
    return end.descriptor();
  }

  /**
   * Waits until there is room, and then writes as much as fits.
   *
   * @param from has the bytes at its position, which moves
   * @param deadline with an expired one it does not wait
   * @return how many bytes were written; 0 when the reader made no room in time, or {@code from} is
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

  /** Closes the descriptor. A second call does nothing. */
  @Override
  public void close() {
    end.close();
  }
}
