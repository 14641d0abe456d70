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
 * How a mock back end gets its connections: it listens, it connects to a front end that listens, or
 * a caller gave it one connection.
 */
sealed interface Entrance extends AutoCloseable {
  /** The path of the socket. */
  Path path();

  /**
   * The descriptor that is readable when a connection waits, or -1 if there is none and {@link
   * #next} has to be tried from time to time.
   */
  int number();

  /**
   * Returns the next connection, or null if there is none now.
   *
   * @throws VhostException when the socket fails
   */
  @Nullable BackEndConnection next();

  @Override
  void close();

  /** Listens for front ends. */
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

  /** Connects to a front end, again after each connection. */
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
        // No front end listens at the moment.
        return null;
      }
    }

    @Override
    public void close() {
      // The front end owns the socket in the file system.
    }
  }

  /** Has the one connection that a caller made, and never gets another. */
  final class Given implements Entrance {
    private final Path path;
    private final EventFd never;
    private @Nullable BackEndConnection connection;

    /** This object owns the connection until {@link #next} returns it. */
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

    /** Readable until {@link #next} has returned the connection. */
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
