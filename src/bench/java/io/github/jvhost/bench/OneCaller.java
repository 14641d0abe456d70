package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** A socket to which one other process connects. Used by one thread. */
final class OneCaller implements AutoCloseable {
  private final Path path;
  private final ServerSocketChannel listener;

  /** Listens. */
  OneCaller(Path path) {
    this.path = path;
    try {
      listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
      listener.bind(UnixDomainSocketAddress.of(path));
      listener.configureBlocking(false);
    } catch (IOException e) {
      throw failed("listening at", e);
    }
  }

  /**
   * Waits for the connection.
   *
   * @return the caller's to close
   * @throws VhostException when no process connected in time
   */
  SocketChannel accept(Deadline deadline) {
    try (Selector selector = Selector.open()) {
      listener.register(selector, SelectionKey.OP_ACCEPT);
      selector.select(Math.max(1, deadline.remainingNanos() / 1_000_000));
      SocketChannel channel = listener.accept();
      if (channel == null) {
        throw new VhostException(
            "nobody connected to %s within %s".formatted(path, deadline.allowed()),
            Recovery.GIVE_UP);
      }
      return channel;
    } catch (IOException e) {
      throw failed("waiting at", e);
    }
  }

  private VhostException failed(String what, IOException e) {
    return new VhostException(
        "%s %s: %s".formatted(what, path, e.getMessage()), Recovery.GIVE_UP, e);
  }

  @Override
  public void close() {
    try {
      listener.close();
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw failed("closing", e);
    }
  }
}
