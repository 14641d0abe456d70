package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.SocketLink;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The two ends of one migration connection.
 *
 * @param source the source's end
 * @param destination the destination's end
 */
public record Links(MigrationLink source, MigrationLink destination) implements AutoCloseable {

  /**
   * Connects two ends over a socket in the file system, and deletes the file before it returns.
   *
   * @param socket the path, at which no file may exist
   * @return both ends, which the caller has to close
   * @throws VhostException (GIVE_UP) when they cannot be connected there
   */
  public static Links connect(Path socket) {
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(socket));
      SocketLink source = SocketLink.over(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
      try {
        return new Links(source, SocketLink.over(listener.accept()));
      } catch (IOException | RuntimeException e) {
        source.close();
        throw e;
      } finally {
        Files.deleteIfExists(socket);
      }
    } catch (IOException e) {
      throw new VhostException(
          "making a migration connection: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  @Override
  public void close() {
    source.close();
    destination.close();
  }
}
