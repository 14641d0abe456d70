package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.ListeningSocket;
import io.github.jvhost.channel.socket.StaleSocket;
import java.nio.file.Path;

/**
 * A socket on which the front end listens for its back end, for back ends that connect (DPDK's
 * client mode, dpdkvhostuserclient of Open vSwitch).
 *
 * <p>A socket file is replaced if nobody listens on it any more. One platform thread at a time,
 * except for {@link #path}.
 */
public final class FrontEndListener implements AutoCloseable {
  private final ListeningSocket socket;

  private FrontEndListener(ListeningSocket socket) {
    this.socket = socket;
  }

  /**
   * Creates the socket file and listens.
   *
   * @param path of the socket, at most 107 bytes; only a socket that nobody listens on may be there
   * @return the listener, which the caller closes
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  public static FrontEndListener listen(Path path) {
    StaleSocket.removeAt(path);
    return new FrontEndListener(ListeningSocket.open(path));
  }

  /** {@return where it listens} */
  public Path path() {
    return socket.path();
  }

  /** {@return the listening socket's number, for a poll; this object keeps it} */
  public int number() {
    return socket.number();
  }

  /** For whoever accepts a back end; this object keeps it. */
  ListeningSocket socket() {
    return socket;
  }

  /** Stops listening and removes the file. Connections stay open. A second call does nothing. */
  @Override
  public void close() {
    socket.close();
  }
}
