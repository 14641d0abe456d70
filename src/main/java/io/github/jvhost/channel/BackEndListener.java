package io.github.jvhost.channel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.Poller;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;

/** A back end's listening socket in the file system. One platform thread at a time. */
public final class BackEndListener implements AutoCloseable {
  private static final int BACKLOG = 16;

  private final AFUNIXServerSocketChannel server;
  private final Path path;
  private final DescriptorLedger ledger;
  private final Poller poller = new Poller(1);
  private final int number;

  private BackEndListener(
      AFUNIXServerSocketChannel server, Path path, DescriptorLedger ledger, int number) {
    this.server = server;
    this.path = path;
    this.ledger = ledger;
    this.number = number;
  }

  /**
   * Creates the socket file and listens.
   *
   * @param path where; must not exist, and has at most 107 bytes
   * @param ledger where descriptors that connections receive are written down
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  public static BackEndListener listen(Path path, DescriptorLedger ledger) {
    AFUNIXServerSocketChannel server = null;
    try {
      server = AFUNIXServerSocketChannel.open();
      server.bind(AFUNIXSocketAddress.of(path), BACKLOG);
      return new BackEndListener(
          server, path, ledger, SocketStream.numberOf(server.getFileDescriptor()));
    } catch (IOException e) {
      if (server != null) {
        SocketStream.closeQuietly(server);
      }
      throw new VhostException("listening on " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Where it listens. */
  public Path path() {
    return path;
  }

  /** The listening socket's number, for a {@link Poller}; stays this object's. */
  public int number() {
    return number;
  }

  /**
   * The next connection; the caller closes it.
   *
   * @return null when none came in time
   * @throws VhostException (GIVE_UP) if the socket fails
   */
  public @Nullable BackEndConnection accept(Deadline deadline) {
    poller.clear();
    poller.add(number, Poller.IN);
    if (poller.await(deadline.remainingNanos()) == 0) {
      return null;
    }
    try {
      return BackEndConnection.adopt(server.accept(), path.getFileName().toString(), ledger);
    } catch (IOException e) {
      throw new VhostException("accepting on " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Stops listening and removes the file; connections live on. A second time does nothing. */
  @Override
  public void close() {
    SocketStream.closeQuietly(server);
    poller.close();
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new VhostException("removing " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
