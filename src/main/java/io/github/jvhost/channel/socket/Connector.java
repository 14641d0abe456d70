package io.github.jvhost.channel.socket;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.ConnectionRefusedSocketException;

/**
 * Connects with a deadline. A blocking connect waits for ever while the listener's queue is full,
 * and no poll reports that there is room again (Linux unix_stream_connect). So it connects without
 * blocking, again and again until the deadline.
 */
public final class Connector {
  /** sun_path of sockaddr_un has 108 bytes, the last one zero. */
  private static final int MAX_PATH_BYTES = 107;

  /** EPROTOTYPE, for which there is no exception of its own. */
  private static final String WRONG_TYPE = "Protocol wrong type for socket";

  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  private Connector() {}

  /**
   * Refuses a path that does not fit into a socket address. The kernel's error would be "no such
   * file".
   *
   * @param path of the socket
   * @param doing the beginning of the message: what is being done
   * @throws VhostException (GIVE_UP) if it is too long
   */
  public static void requireThatItFits(Path path, String doing) {
    if (path.toString().getBytes(StandardCharsets.UTF_8).length > MAX_PATH_BYTES) {
      throw new VhostException(
          doing + "a socket path has at most " + MAX_PATH_BYTES + " bytes", Recovery.GIVE_UP);
    }
  }

  /**
   * Connects as soon as the listener has room.
   *
   * @param path of the socket, at most 107 bytes
   * @param name for messages
   * @param peer who listens there, for messages
   * @param deadline for the listener to make room
   * @return the connected socket, which the caller closes
   * @throws VhostException (RETRY) if there is no such socket or nobody listens, (GIVE_UP) if it
   *     can never work
   * @throws DeadlineException if there was no room in time
   */
  public static AFUNIXSocketChannel connect(
      Path path, String name, String peer, Deadline deadline) {
    String doing = name + ": connecting to " + path + ": ";
    requireThatItFits(path, doing);
    try (Poller pause = new Poller(1)) {
      while (true) {
        AFUNIXSocketChannel socket = attempt(path, doing, peer);
        if (socket != null) {
          return socket;
        }
        if (deadline.expired()) {
          throw new DeadlineException(
              doing + "the " + peer + " made no room for a connection within " + deadline);
        }
        pause.await(Math.min(PAUSE_NANOS, deadline.remainingNanos()));
      }
    }
  }

  /** Finds out why connecting failed: the kernel answers "refused" for a directory, too. */
  private static VhostException failed(Path path, String doing, String peer, IOException e) {
    if (Files.notExists(path)) {
      return new VhostException(
          doing + "no such socket; it is there once the " + peer + " runs", Recovery.RETRY, e);
    }
    if (Files.isRegularFile(path) || Files.isDirectory(path)) {
      return new VhostException(
          doing + "it is a " + (Files.isDirectory(path) ? "directory" : "file") + " and no socket",
          Recovery.GIVE_UP,
          e);
    }
    if (e instanceof ConnectionRefusedSocketException) {
      return new VhostException(
          doing + "nobody listens on it any more; the " + peer + " has to be started again",
          Recovery.RETRY,
          e);
    }
    if (WRONG_TYPE.equals(e.getMessage())) {
      return new VhostException(
          doing + "it is a socket of another kind, and this has to be a stream socket",
          Recovery.GIVE_UP,
          e);
    }
    return new VhostException(doing + e.getMessage(), Recovery.RETRY, e);
  }

  /** Connects once; null if the listener's queue is full. */
  private static @Nullable AFUNIXSocketChannel attempt(Path path, String doing, String peer) {
    AFUNIXSocketChannel socket = null;
    boolean connected = false;
    try {
      socket = AFUNIXSocketChannel.open();
      socket.configureBlocking(false);
      connected = socket.connect(AFUNIXSocketAddress.of(path));
      return connected ? socket : null;
    } catch (IOException e) {
      throw failed(path, doing, peer, e);
    } finally {
      if (!connected && socket != null) {
        SocketStream.closeQuietly(socket);
      }
    }
  }
}
