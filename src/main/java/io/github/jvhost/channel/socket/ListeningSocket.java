package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/** A listening socket of a front end or a back end. One platform thread at a time. */
public final class ListeningSocket implements AutoCloseable {
  private static final int BACKLOG = 16;
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String UMASK = "Umask:";

  private final AdoptedSocket.Taken<AFUNIXServerSocketChannel> server;
  private final Path path;
  private final Poller poller = new Poller(1);
  private final boolean made;
  private boolean closed;

  private ListeningSocket(
      AdoptedSocket.Taken<AFUNIXServerSocketChannel> server, Path path, boolean made) {
    this.server = server;
    this.path = path;
    this.made = made;
  }

  /**
   * Creates the socket file and listens. The file has the mode that the umask gives it, as any
   * other file; who may not write it cannot connect.
   *
   * @param path of the socket, at most 107 bytes; nothing may be there
   * @return the socket, which the caller closes
   * @throws VhostException (GIVE_UP) if that is not possible
   */
  public static ListeningSocket open(Path path) {
    Connector.requireThatItFits(path, "listening on " + path + ": ");
    AFUNIXServerSocketChannel server = null;
    try {
      server = AFUNIXServerSocketChannel.open();
      server.bind(AFUNIXSocketAddress.of(path), BACKLOG);
      FileDescriptor own = server.getFileDescriptor();
      int number = SocketStream.numberOf(own);
      var socket = new ListeningSocket(new AdoptedSocket.Taken<>(server, own, number), path, true);
      boolean done = false;
      try {
        socket.applyUmask();
        done = true;
        return socket;
      } finally {
        if (!done) {
          socket.close();
        }
      }
    } catch (IOException e) {
      if (server != null) {
        SocketStream.closeQuietly(server);
      }
      throw new VhostException("listening on " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** The library has made it writable for everybody. Who was faster than this is hung up on. */
  private void applyUmask() throws IOException {
    Set<PosixFilePermission> mode = EnumSet.allOf(PosixFilePermission.class);
    mode.removeAll(umask());
    Files.setPosixFilePermissions(path, mode);
    for (AFUNIXSocketChannel early = accept(Deadline.after(Duration.ZERO));
        early != null;
        early = accept(Deadline.after(Duration.ZERO))) {
      SocketStream.closeQuietly(early);
    }
  }

  /** What this process takes away from the mode of each file that it makes. */
  private static Set<PosixFilePermission> umask() throws IOException {
    try (Stream<String> lines = Files.lines(STATUS)) {
      int mask =
          lines
              .filter(line -> line.startsWith(UMASK))
              .map(line -> Integer.parseInt(line.substring(UMASK.length()).strip(), 8))
              .findFirst()
              .orElse(0077);
      Set<PosixFilePermission> taken = EnumSet.noneOf(PosixFilePermission.class);
      PosixFilePermission[] bits = PosixFilePermission.values(); // from the owner's read on
      for (int i = 0; i < bits.length; i++) {
        if ((mask & (0400 >> i)) != 0) {
          taken.add(bits[i]);
        }
      }
      return taken;
    }
  }

  /**
   * Takes over a socket that listens already. Its maker removes its file.
   *
   * @param socket taken over, also if this fails
   * @param path its name in messages
   * @return the socket, which the caller closes
   * @throws VhostException (GIVE_UP) if it is no AF_UNIX socket
   */
  public static ListeningSocket adopt(OwnedDescriptor socket, Path path) {
    return new ListeningSocket(AdoptedSocket.listening(socket, path.toString()), path, false);
  }

  /** {@return where it listens, or its name in messages} */
  public Path path() {
    return path;
  }

  /** {@return its number, for a {@link Poller}; this object keeps it} */
  public int number() {
    return server.number();
  }

  /**
   * {@return the next connection, which the caller closes; null when none came in time}
   *
   * @param deadline for a peer to connect
   * @throws VhostException (GIVE_UP) if the socket fails or is closed
   */
  public @Nullable AFUNIXSocketChannel accept(Deadline deadline) {
    if (closed) {
      throw new VhostException("accepting on " + path + ": it is closed", Recovery.GIVE_UP);
    }
    poller.clear();
    poller.add(server.number(), Poller.IN);
    if (poller.await(deadline.remainingNanos()) == 0) {
      return null;
    }
    try {
      return server.channel().accept();
    } catch (IOException e) {
      throw new VhostException("accepting on " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Stops listening and removes the file that it has made. A second call does nothing. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    SocketStream.closeQuietly(server.channel());
    AdoptedSocket.close(
        server.descriptor()); // the library leaves a descriptor open that it did not open
    poller.close();
    if (!made) {
      return;
    }
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new VhostException("removing " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
