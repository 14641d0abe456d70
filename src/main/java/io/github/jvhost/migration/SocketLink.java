package io.github.jvhost.migration;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.sys.Deadline;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A link over a connected stream socket of the JDK, AF_UNIX or TCP. The JDK's channel is enough,
 * because no descriptors are sent here.
 *
 * <p>One thread sends and one receives, at the same time if need be; any thread may close it. An
 * interrupt neither ends a wait nor closes the link: the thread is still interrupted when the call
 * returns.
 */
public final class SocketLink implements MigrationLink {
  private final SocketChannel channel;
  private final Selector readable;
  private final Selector writable;

  private SocketLink(SocketChannel channel, Selector readable, Selector writable) {
    this.channel = channel;
    this.readable = readable;
    this.writable = writable;
  }

  /**
   * {@return a link over a connected channel, which the caller closes}
   *
   * @param channel belongs to the link from now on, and is made non-blocking
   * @throws MigrationException if the channel is not usable; it is closed then
   */
  public static SocketLink over(SocketChannel channel) {
    Selector readable = null;
    Selector writable = null;
    boolean made = false;
    try {
      channel.configureBlocking(false);
      readable = Selector.open();
      writable = Selector.open();
      channel.register(readable, SelectionKey.OP_READ);
      channel.register(writable, SelectionKey.OP_WRITE);
      made = true;
      return new SocketLink(channel, readable, writable);
    } catch (IOException e) {
      throw lost("setting up the migration link", e);
    } finally {
      if (!made) {
        closeQuietly(writable);
        closeQuietly(readable);
        closeQuietly(channel);
      }
    }
  }

  private static void closeQuietly(@Nullable Closeable one) {
    if (one != null) {
      try {
        one.close();
      } catch (IOException _) {
        // The reason for closing it is thrown already.
      }
    }
  }

  @Override
  public void send(ByteBuffer bytes, Deadline deadline) {
    try {
      while (bytes.hasRemaining()) {
        int n = channel.write(bytes);
        if (n == 0) {
          await(writable, deadline, "sending to the other side");
        } else if (bytes.hasRemaining()) {
          deadline.restart(); // the other side is slow, and not gone
        }
      }
    } catch (IOException e) {
      throw lost("sending to the other side", e);
    }
  }

  @Override
  public void receive(ByteBuffer into, Deadline deadline) {
    try {
      while (into.hasRemaining()) {
        int n = channel.read(into);
        if (n < 0) {
          throw new MigrationException(
              "migration link: the other side closed it", Recovery.RETRY, null);
        }
        if (n == 0) {
          await(readable, deadline, "waiting for the other side");
        } else if (into.hasRemaining()) {
          deadline.restart(); // the other side is not silent
        }
      }
    } catch (IOException e) {
      throw lost("receiving from the other side", e);
    }
  }

  @Override
  public boolean awaitReadable(Deadline deadline) {
    try {
      return select(readable, deadline);
    } catch (IOException e) {
      throw lost("waiting for the other side", e);
    }
  }

  private static void await(Selector selector, Deadline deadline, String what) throws IOException {
    if (!select(selector, deadline)) {
      throw new DeadlineException(
          "migration link: %s took longer than %d ms"
              .formatted(what, deadline.allowed().toMillis()));
    }
  }

  /** A selector returns at once when its thread is interrupted: that is put off until the end. */
  private static boolean select(Selector selector, Deadline deadline) throws IOException {
    boolean interrupted = false;
    try {
      while (true) {
        interrupted |= Thread.interrupted();
        if (selectOnce(selector, deadline)) {
          return true;
        }
        // Read again, because another thread may have restarted it meanwhile.
        if (deadline.expired()) {
          return false;
        }
      }
    } catch (ClosedSelectorException e) {
      throw new IOException("it was closed on this side", e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static boolean selectOnce(Selector selector, Deadline deadline) throws IOException {
    // Rounded up, so that the last part of a millisecond is not spent in a loop.
    long millis = (deadline.remainingNanos() + 999_999) / 1_000_000;
    int ready =
        millis == 0
            ? selector.selectNow(SocketLink::found)
            : selector.select(SocketLink::found, millis);
    // Closing the selector wakes the thread that waits in it. The time is not over then.
    if (ready == 0 && !selector.isOpen()) {
      throw new ClosedChannelException();
    }
    return ready > 0;
  }

  /** Nothing to do: only the count matters. */
  private static void found(SelectionKey key) {}

  private static MigrationException lost(String what, IOException e) {
    String why =
        e instanceof ClosedChannelException ? "it was closed on this side" : e.getMessage();
    return new MigrationException("migration link: %s: %s".formatted(what, why), Recovery.RETRY, e);
  }

  @Override
  public void close() {
    try (channel;
        readable;
        writable) {
      // Closed in the reverse order, the selectors first.
    } catch (IOException e) {
      throw lost("closing it", e);
    }
  }
}
