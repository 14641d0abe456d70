package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.PeerCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * A listening socket for our own user and root alone. Its file has mode 0600. Between bind and that
 * mode others may connect, so {@link #admits} has to be asked about each connection. One platform
 * thread at a time, except for {@link #admits}.
 */
public final class PrivateListener implements AutoCloseable {
  private static final int ROOT = 0;

  private final ListeningSocket socket;
  private final int owner;

  private PrivateListener(ListeningSocket socket, int owner) {
    this.socket = socket;
    this.owner = owner;
  }

  /**
   * Creates the socket file and listens.
   *
   * @param path of the socket, at most 107 bytes; a socket that nobody serves is replaced
   * @return the listener, which the caller closes
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  public static PrivateListener open(Path path) {
    StaleSocket.removeAt(path);
    ListeningSocket socket = ListeningSocket.open(path);
    boolean done = false;
    try {
      restrict(path);
      PrivateListener listener =
          new PrivateListener(socket, (Integer) Files.getAttribute(path, "unix:uid"));
      done = true;
      return listener;
    } catch (IOException e) {
      throw failed(path, e);
    } finally {
      if (!done) {
        socket.close();
      }
    }
  }

  /**
   * Gives a socket that listens the mode 0600.
   *
   * @param path of the socket
   * @throws VhostException (GIVE_UP) if it has gone, or is somebody else's
   */
  public static void restrict(Path path) {
    try {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      throw failed(path, e);
    }
  }

  private static VhostException failed(Path path, IOException e) {
    return new VhostException("listening on " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
  }

  /** {@return where it listens} */
  public Path path() {
    return socket.path();
  }

  /** {@return its number, for a poll; this object keeps it} */
  public int number() {
    return socket.number();
  }

  /**
   * {@return the next connection, which the caller closes; null when none came in time}
   *
   * @param deadline for a peer to connect
   * @throws VhostException (GIVE_UP) if the socket fails or is closed
   */
  public @Nullable AFUNIXSocketChannel accept(Deadline deadline) {
    return socket.accept(deadline);
  }

  /**
   * {@return whether who is at the other end of a connection may be there}
   *
   * @param connection the number of the connected socket; its owner keeps it
   */
  public boolean admits(int connection) {
    int user = PeerCredentials.of(connection).user();
    return user == owner || user == ROOT;
  }

  /** Stops listening and removes the file. A second call does nothing. */
  @Override
  public void close() {
    socket.close();
  }
}
