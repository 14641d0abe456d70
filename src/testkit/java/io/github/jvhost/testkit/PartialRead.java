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
 * Takes the beginning of a message off a socket, as a back end does that dies while it reads. The
 * message's descriptors are closed by the kernel: nobody asks it for them.
 */
final class PartialRead {
  private final int socket;

  PartialRead(int socket) {
    this.socket = socket;
  }

  /** Takes so many bytes of the header. */
  int header(int bytes, Deadline deadline) {
    return take(bytes, deadline).length;
  }

  /** Takes the header and half of the payload that it announces. */
  int halfOfThePayload(Deadline deadline) {
    Header header = Header.decode(Unpooled.wrappedBuffer(take(Header.SIZE, deadline)));
    return Header.SIZE + take(header.size() / 2, deadline).length;
  }

  // The socket stays its connection's: a stream without a path of its own closes nothing.
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
