package io.github.jvhost.channel.backend;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.ListeningSocket;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/** A back end's listening socket. One platform thread at a time. */
public final class BackEndListener implements AutoCloseable {
  private final ListeningSocket socket;
  private final DescriptorLedger ledger;

  private BackEndListener(ListeningSocket socket, DescriptorLedger ledger) {
    this.socket = socket;
    this.ledger = ledger;
  }

  /**
   * Creates the socket file and listens.
   *
   * @param path of the socket, at most 107 bytes; nothing may be there
   * @param ledger where descriptors that connections receive are recorded
   * @return the listener, which the caller closes
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  public static BackEndListener listen(Path path, DescriptorLedger ledger) {
    return new BackEndListener(ListeningSocket.open(path), ledger);
  }

  /**
   * Takes over a socket that listens already. A program that manages back ends may give a back end
   * such a socket. The socket's file, if it has one, stays when this is closed.
   *
   * @param socket taken over, also if this fails
   * @param path its name in messages
   * @param ledger where descriptors that connections receive are recorded
   * @return the listener, which the caller closes
   * @throws VhostException (GIVE_UP) if it is no AF_UNIX socket
   */
  public static BackEndListener adopt(OwnedDescriptor socket, Path path, DescriptorLedger ledger) {
    return new BackEndListener(ListeningSocket.adopt(socket, path), ledger);
  }

  /** {@return where it listens} */
  public Path path() {
    return socket.path();
  }

  /** {@return the listening socket's number, for a {@link Poller}; this object keeps it} */
  public int number() {
    return socket.number();
  }

  /**
   * {@return the next connection, which the caller closes; null when none came in time}
   *
   * @param deadline for a front end to connect
   * @throws VhostException ({@link Recovery#GIVE_UP}) if the socket fails or is closed
   */
  public @Nullable BackEndConnection accept(Deadline deadline) {
    AFUNIXSocketChannel accepted = socket.accept(deadline);
    return accepted == null
        ? null
        : BackEndConnection.adopt(accepted, path().getFileName().toString(), ledger);
  }

  /**
   * Stops listening and removes the file that it has made. Connections stay open. A second call
   * does nothing.
   */
  @Override
  public void close() {
    socket.close();
  }
}
