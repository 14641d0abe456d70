package io.github.jvhost.channel.socket;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
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
      AFUNIXSocketChannel channel =
          FileDescriptorCast.using(descriptor).as(AFUNIXSocketChannel.class);
      if (!channel.isConnected()) {
        throw new VhostException(doing + "it is not connected", Recovery.GIVE_UP);
      }
      taken = true;
      return channel;
    } catch (IOException | ClassCastException e) {
      throw new VhostException(
          doing + "it is no stream socket of the AF_UNIX family", Recovery.GIVE_UP, e);
    } finally {
      if (!taken && descriptor != null) {
        close(descriptor);
      }
    }
  }

  /**
   * Takes a listening socket over.
   *
   * @param socket closed afterwards in any case: its number belongs to the result, or to nobody
   * @throws VhostException (GIVE_UP) if it is no AF_UNIX socket
   */
  static AFUNIXServerSocketChannel listening(OwnedDescriptor socket, String name) {
    String doing = name + ": taking over " + socket.identity() + ": ";
    int number = socket.release();
    FileDescriptor descriptor = null;
    boolean taken = false;
    try {
      descriptor = FileDescriptorCast.unsafeUsing(number).getFileDescriptor();
      AFUNIXServerSocketChannel server =
          FileDescriptorCast.using(descriptor).as(AFUNIXServerSocketChannel.class);
      server.setDeleteOnClose(false); // the file is whoever's made it
      taken = true;
      return server;
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
