package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.function.Predicate;
import org.newsclub.net.unix.AFUNIXServerSocketChannel;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.newsclub.net.unix.FileDescriptorCast;

/** Turns a descriptor that is a socket into an object of the socket library. */
public final class AdoptedSocket {
  private AdoptedSocket() {}

  /**
   * Takes over a connected socket.
   *
   * @param socket closed afterwards in any case: the result owns its number, or the number is
   *     closed
   * @param name for messages
   * @return the library's object, which the caller closes
   * @throws VhostException (GIVE_UP) if it is no connected AF_UNIX stream socket
   */
  public static AFUNIXSocketChannel of(OwnedDescriptor socket, String name) {
    return take(socket, name, AFUNIXSocketChannel.class, AFUNIXSocketChannel::isConnected)
        .channel();
  }

  /**
   * Takes over a listening socket.
   *
   * @param socket closed afterwards in any case: the result owns its number, or the number is
   *     closed
   * @throws VhostException (GIVE_UP) if it is no AF_UNIX socket
   */
  static Taken<AFUNIXServerSocketChannel> listening(OwnedDescriptor socket, String name) {
    Taken<AFUNIXServerSocketChannel> server =
        take(socket, name, AFUNIXServerSocketChannel.class, _ -> true);
    server.channel().setDeleteOnClose(false); // whoever made the file removes it
    return server;
  }

  /**
   * A socket as an object of the library, and the descriptor that the library may leave open when
   * it closes the object.
   *
   * @param channel the library's object
   * @param descriptor for {@link #close}
   * @param number the descriptor's
   */
  record Taken<T>(T channel, FileDescriptor descriptor, int number) {}

  private static <T> Taken<T> take(
      OwnedDescriptor socket, String name, Class<T> kind, Predicate<T> connected) {
    String doing = name + ": taking over " + socket.identity() + ": ";
    if (!socket.isOpen()) {
      throw new VhostException(doing + "it was used before", Recovery.GIVE_UP);
    }
    // The library closes the number by itself after an error, so it has to own it.
    int number = socket.release();
    FileDescriptor descriptor = null;
    boolean taken = false;
    try {
      descriptor = FileDescriptorCast.unsafeUsing(number).getFileDescriptor();
      T channel = FileDescriptorCast.using(descriptor).as(kind);
      if (!connected.test(channel)) {
        throw new VhostException(doing + "it is not connected", Recovery.GIVE_UP);
      }
      taken = true;
      return new Taken<>(channel, descriptor, number);
    } catch (IOException | ClassCastException e) {
      throw new VhostException(
          doing + "it is no stream socket of the AF_UNIX family", Recovery.GIVE_UP, e);
    } finally {
      if (!taken && descriptor != null) {
        close(descriptor);
      }
    }
  }

  /** Closes a descriptor that the library left open or never had. */
  static void close(FileDescriptor descriptor) {
    if (!descriptor.valid()) {
      return;
    }
    try {
      new FileInputStream(descriptor).close();
    } catch (IOException _) {
      // Linux has released the number anyway, and nothing was buffered.
    }
  }
}
