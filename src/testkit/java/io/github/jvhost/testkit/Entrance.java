package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.BackEndListener;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a mock back end gets its connections: it listens, it calls a front end that listens, or it
 * was given the one that it has.
 */
sealed interface Entrance extends AutoCloseable {
  /** Where the socket is. */
  Path path();

  /** What to wait for, -1 where there is nothing and {@link #next} is to be tried now and then. */
  int number();

  /**
   * The next connection, or null when there is none now.
   *
   * @throws VhostException when the socket fails
   */
  @Nullable BackEndConnection next();

  @Override
  void close();

  /** Listens. */
  record Listening(BackEndListener listener) implements Entrance {
    @Override
    public Path path() {
      return listener.path();
    }

    @Override
    public int number() {
      return listener.number();
    }

    @Override
    public @Nullable BackEndConnection next() {
      return listener.accept(Deadline.after(Duration.ZERO));
    }

    @Override
    public void close() {
      listener.close();
    }
  }

  /** Calls, again and again. */
  record Calling(Path path, String name, DescriptorLedger ledger) implements Entrance {
    private static final Duration LONGEST_CALL = Duration.ofMillis(100);

    @Override
    public int number() {
      return -1;
    }

    @Override
    public @Nullable BackEndConnection next() {
      try {
        return BackEndConnection.connect(path, name, ledger, Deadline.after(LONGEST_CALL));
      } catch (VhostException _) {
        // Nobody listens yet, or not any more.
        return null;
      }
    }

    @Override
    public void close() {
      // The socket in the file system is the front end's.
    }
  }

  /** Has one connection, which somebody else has made, and never another. */
  final class Given implements Entrance {
    private final Path path;
    private final EventFd never;
    private @Nullable BackEndConnection connection;

    /** The connection is this object's until it was asked for. */
    Given(Path path, BackEndConnection connection, DescriptorLedger ledger) {
      this.path = path;
      this.connection = connection;
      this.never = EventFd.create(ledger, path + " entrance");
      never.signal();
    }

    @Override
    public Path path() {
      return path;
    }

    /** Readable until the connection was taken. */
    @Override
    public int number() {
      return never.descriptor().number();
    }

    @Override
    public @Nullable BackEndConnection next() {
      BackEndConnection given = connection;
      connection = null;
      never.drain();
      return given;
    }

    @Override
    public void close() {
      if (connection != null) {
        connection.close();
      }
      never.close();
    }
  }
}
