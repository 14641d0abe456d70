package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndConnection;
import io.github.jvhost.channel.BackEndListener;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** How a mock back end gets its connections: it listens, or it calls a front end that listens. */
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
}
