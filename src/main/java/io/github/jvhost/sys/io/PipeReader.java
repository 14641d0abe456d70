package io.github.jvhost.sys.io;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.nio.ByteBuffer;

/**
 * Reads a pipe, or any other stream with a descriptor. It never waits beyond a deadline. One thread
 * at a time. It owns its descriptor.
 */
public final class PipeReader implements AutoCloseable {
  private final PipeEnd end;

  private PipeReader(PipeEnd end) {
    this.end = end;
  }

  /**
   * Takes over a reading end and makes it non-blocking, for all holders of this end.
   *
   * @param descriptor this object owns it from now on, even if this method throws
   * @return the reader, which the caller closes
   * @throws SystemCallException when the system refuses
   */
  public static PipeReader adopt(OwnedDescriptor descriptor) {
    return new PipeReader(new PipeEnd(descriptor));
  }

  /**
   * {@return the descriptor, still owned by this object: the caller may poll it, but not close it}
   */
  public OwnedDescriptor descriptor() {
    return end.descriptor();
  }

  /**
   * Waits for the first byte, and then reads what is available.
   *
   * @param into receives the bytes at its position, which moves; must have room
   * @param deadline with an expired one it does not wait
   * @return how many bytes were read, from 1; 0 when none arrived in time; -1 at the end of the
   *     stream
   * @throws IllegalStateException when closed
   * @throws SystemCallException when the system refuses
   */
  public int read(ByteBuffer into, Deadline deadline) {
    if (!into.hasRemaining()) {
      throw new IllegalArgumentException("no room to read " + end.descriptor() + " into");
    }
    int count = end.transfer(Poller.IN, "read", into, deadline);
    return count == PipeEnd.TIMED_OUT ? 0 : count == 0 ? -1 : count;
  }

  /** Closes the descriptor. A second call does nothing. */
  @Override
  public void close() {
    end.close();
  }
}
