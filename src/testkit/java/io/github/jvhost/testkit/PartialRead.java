package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.io.Poller;
import io.netty.buffer.Unpooled;
import java.io.FileInputStream;
import java.io.IOException;
import org.newsclub.net.unix.FileDescriptorCast;

/**
 * Reads the beginning of a message from a socket, like a back end that crashes while it reads. The
 * kernel closes the message's descriptors, because this class does not receive them.
 */
final class PartialRead {
  private final int socket;

  PartialRead(int socket) {
    this.socket = socket;
  }

  /** Reads a number of bytes of the header. */
  int header(int bytes, Deadline deadline) {
    return take(bytes, deadline).length;
  }

  /** Reads the header and half of the payload that it announces. */
  int halfOfThePayload(Deadline deadline) {
    Header header = Header.decode(Unpooled.wrappedBuffer(take(Header.SIZE, deadline)));
    return Header.SIZE + take(header.size() / 2, deadline).length;
  }

  // The connection keeps the socket: closing this stream does not close the descriptor.
  private byte[] take(int count, Deadline deadline) {
    byte[] bytes = new byte[count];
    int at = 0;
    try (Poller poller = new Poller(1)) {
      FileInputStream in =
          new FileInputStream(FileDescriptorCast.unsafeUsing(socket).getFileDescriptor());
      while (at < count) {
        poller.clear();
        poller.add(socket, Poller.IN);
        int read =
            poller.await(deadline.remainingNanos()) == 0 ? -1 : in.read(bytes, at, count - at);
        if (read < 0) {
          throw new VhostException(
              "reading a part of a message: " + at + " of " + count + " bytes came",
              Recovery.RECONNECT);
        }
        at += read;
      }
      return bytes;
    } catch (IOException e) {
      throw new VhostException(
          "reading a part of a message: " + e.getMessage(), Recovery.RECONNECT, e);
    }
  }
}
