package io.github.jvhost.vhost.user;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.PipeReader;
import io.github.jvhost.sys.io.PipeWriter;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.TimeUnit;

/**
 * The front end's end of the pipe through which a back end's state moves. A wait for the pipe also
 * watches the connection: a hang-up ends the wait, and the back end's requests are answered
 * meanwhile, because it may not go on before.
 *
 * <pre>
 *   one poll:  | pipe | main socket | back end's own channel |
 * </pre>
 */
final class BackEndStatePipe implements AutoCloseable {
  private final VhostUserChannel channel;
  private final Deadline deadline;
  private final Poller poller = new Poller(3);
  private long moved;

  BackEndStatePipe(VhostUserChannel channel, Deadline deadline) {
    this.channel = channel;
    this.deadline = deadline;
  }

  /** The deadline of a call of the pipe that must not wait, because {@link #await} has waited. */
  private static Deadline atOnce() {
    return Deadline.in(0, TimeUnit.NANOSECONDS);
  }

  private void await(OwnedDescriptor pipe, int event, String doing) {
    int ready = 0;
    while (ready == 0) {
      poller.clear();
      int stream = poller.add(pipe.number(), event);
      int main = poller.add(channel.number(), Poller.IN);
      int asking = poller.add(channel.backEndNumber(), Poller.IN);
      if (poller.await(deadline.remainingNanos()) == 0) {
        throw new DeadlineException(
            "%s: %s its state: %d bytes, and not done by %s"
                .formatted(channel.name(), doing, moved, deadline));
      }
      ready = poller.ready(stream);
      if (poller.ready(asking) != 0) {
        channel.serveBackEnd();
      }
      if (poller.ready(main) != 0) {
        channel.receiveAvailable();
      }
      if (channel.poisoned()) {
        channel.awaitReply(deadline); // throws what poisoned it
      }
    }
  }

  /** Reads what the back end writes, until it closes its end. The caller keeps the reader. */
  ReadableByteChannel reading(PipeReader reader) {
    return new ReadableByteChannel() {
      @Override
      public int read(ByteBuffer into) {
        await(reader.descriptor(), Poller.IN, "the back end is to write");
        int count = reader.read(into, atOnce());
        moved += Math.max(0, count);
        return count;
      }

      @Override
      public boolean isOpen() {
        return reader.descriptor().isOpen();
      }

      @Override
      public void close() {
        reader.close();
      }
    };
  }

  /** Writes what the back end reads. The caller keeps the writer. */
  WritableByteChannel writing(PipeWriter writer) {
    return new WritableByteChannel() {
      @Override
      public int write(ByteBuffer from) {
        await(writer.descriptor(), Poller.OUT, "the back end is to read");
        int count = push(writer, from);
        moved += count;
        return count;
      }

      @Override
      public boolean isOpen() {
        return writer.descriptor().isOpen();
      }

      @Override
      public void close() {
        writer.close();
      }
    };
  }

  private int push(PipeWriter writer, ByteBuffer from) {
    try {
      return writer.write(from, atOnce());
    } catch (SystemCallException e) {
      throw new BackEndRefusedException(
          "%s: the back end stopped reading its state after %d bytes (%s)"
              .formatted(channel.name(), moved, e.getMessage()));
    }
  }

  @Override
  public void close() {
    poller.close();
  }
}
