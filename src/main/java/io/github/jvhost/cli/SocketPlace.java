package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** The path at which a back end shall listen. */
final class SocketPlace {
  /** What stat(2) says of a socket: S_IFSOCK of S_IFMT. */
  private static final int FILE_TYPE = 0xf000;

  private static final int SOCKET = 0xc000;

  private SocketPlace() {}

  /**
   * Makes sure that nothing is there: a socket on which nobody listens any more, as a killed
   * process leaves it, is removed.
   *
   * @throws VhostException (GIVE_UP) when something else is there; it is left alone
   */
  static void clear(Path path) {
    try {
      if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
        return;
      }
      Object mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
      if (!(mode instanceof Integer bits) || (bits & FILE_TYPE) != SOCKET) {
        throw taken(path, "exists, and is no socket");
      }
      if (isAnswered(path)) {
        throw taken(path, "exists, and somebody listens there");
      }
      Files.delete(path);
    } catch (IOException | UnsupportedOperationException e) {
      throw new VhostException("looking at " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private static boolean isAnswered(Path path) throws IOException {
    try (var _ = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      return true;
    } catch (ConnectException e) {
      return false;
    }
  }

  private static VhostException taken(Path path, String why) {
    return new VhostException(path + " " + why, Recovery.GIVE_UP);
  }
}
