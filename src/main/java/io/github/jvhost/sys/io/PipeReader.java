package io.github.jvhost.sys.io;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import java.nio.ByteBuffer;

/**
 * Reads a pipe, or any other stream that comes as a descriptor, without ever waiting longer than a
 * deadline. One thread at a time. It owns its descriptor.
 */
public final class PipeReader implements AutoCloseable {
  private final PipeEnd end;

  private PipeReader(PipeEnd end) {
    this.end = end;
  }

  /**
   * Takes over a reading end and makes it non-blocking; whoever shares this very end sees that too.
   *
   * @param descriptor from here on this object's, also if this method throws
   * @return the reader, which the caller closes
   * @throws SystemCallException when the system refuses
   */
  public static PipeReader adopt(OwnedDescriptor descriptor) {
    return new PipeReader(new PipeEnd(descriptor));
  }

  /** {@return the descriptor, still owned by this object: to be polled, not closed} */
  public OwnedDescriptor descriptor() {
    return end.descriptor();
  }

  /**
   * Reads what is there, waiting for the first byte.
   *
   * @param into takes the bytes from its position on, which moves; must have room
   * @param deadline an expired one only looks
   * @return how many bytes came, from 1; 0 when none did in time; -1 at the end of the stream
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

  /** Closes the descriptor; a second time does nothing. */
  @Override
  public void close() {
    end.close();
  }
}
