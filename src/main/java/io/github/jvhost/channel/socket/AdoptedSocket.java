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

/** A socket that came as a descriptor, made into what the socket library works with. */
public final class AdoptedSocket {
  private AdoptedSocket() {}

  /**
   * Takes a connected socket over.
   *
   * @param socket closed afterwards in any case: its number belongs to the result, or to nobody
   * @param name for messages
   * @return what the socket library works with, which the caller closes
   * @throws VhostException (GIVE_UP) if it is no connected AF_UNIX stream socket
   */
  public static AFUNIXSocketChannel of(OwnedDescriptor socket, String name) {
    return take(socket, name, AFUNIXSocketChannel.class, AFUNIXSocketChannel::isConnected)
        .channel();
  }

  /**
   * Takes a listening socket over.
   *
   * @param socket closed afterwards in any case: its number belongs to the result, or to nobody
   * @throws VhostException (GIVE_UP) if it is no AF_UNIX socket
   */
  static Taken<AFUNIXServerSocketChannel> listening(OwnedDescriptor socket, String name) {
    Taken<AFUNIXServerSocketChannel> server =
        take(socket, name, AFUNIXServerSocketChannel.class, _ -> true);
    server.channel().setDeleteOnClose(false); // the file is whoever's made it
    return server;
  }

  /**
   * A socket as the library knows it, and what the library may leave open when it closes it.
   *
   * @param channel what the library works with
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
    // The library closes the number by itself when it meets an error, so it has to own it.
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

  /** Closes a descriptor that the library left open, or was never given. */
  static void close(FileDescriptor descriptor) {
    if (!descriptor.valid()) {
      return;
    }
    try {
      new FileInputStream(descriptor).close();
    } catch (IOException _) {
      // Linux has released the number all the same, and nobody waits for this file's contents.
    }
  }
}
