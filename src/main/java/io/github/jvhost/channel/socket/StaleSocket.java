package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.ConnectionRefusedSocketException;
import org.newsclub.net.unix.OperationNotSupportedSocketException;

/**
 * The socket file that a process leaves behind when it dies. Nobody listens on it, and bind fails
 * because it is there. Thread-safe.
 */
public final class StaleSocket {
  /** S_IFMT and S_IFSOCK of inode(7). */
  private static final int FILE_KIND = 0170000;

  private static final int SOCKET = 0140000;

  private StaleSocket() {}

  /**
   * Removes a socket file if nobody listens on it; does nothing where there is no file.
   *
   * @param path where the socket file may be; a symbolic link there is not followed
   * @throws VhostException (GIVE_UP) if there is something else, or somebody listens
   */
  public static void removeAt(Path path) {
    String doing = "listening on " + path + ": ";
    try {
      if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
        return;
      }
      // A pipe or a device refuses connections as well, so only the file's kind shows the
      // difference.
      Object mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
      if (((Integer) mode & FILE_KIND) != SOCKET) {
        throw new VhostException(doing + "there is a file, and it is no socket", Recovery.GIVE_UP);
      }
      if (isAnswered(path)) {
        throw new VhostException(doing + "somebody listens there already", Recovery.GIVE_UP);
      }
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new VhostException(doing + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /**
   * Asks with a socket of another kind. The kernel then says whether somebody has the file's
   * socket, and who listens there does not notice: no connection is made that it would serve.
   */
  private static boolean isAnswered(Path path) throws IOException {
    try (AFUNIXDatagramChannel probe = AFUNIXDatagramChannel.open()) {
      probe.connect(AFUNIXSocketAddress.of(path));
      return true;
    } catch (OperationNotSupportedSocketException _) {
      return true; // EPROTOTYPE: it is a socket for streams
    } catch (ConnectionRefusedSocketException _) {
      return false;
    }
  }
}
