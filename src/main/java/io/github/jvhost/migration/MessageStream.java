package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;
import java.time.Duration;

/** Messages over a link, one at a time, each within the same bound. */
final class MessageStream {
  private final MigrationLink link;
  private final Duration within;
  private final ByteBuffer header = ByteBuffer.allocate(MigrationMessage.HEADER);

  MessageStream(MigrationLink link, Duration within) {
    this.link = link;
    this.within = within;
  }

  void send(MigrationMessage message) {
    send(message.encode());
  }

  /**
   * Encoded messages; what remains in the buffer where this fails was not sent. After half a
   * message nothing else can be said: the link is closed, so that the other side hears of it at
   * once.
   */
  void send(ByteBuffer messages) {
    int all = messages.remaining();
    try {
      link.send(messages, deadline());
    } finally {
      if (messages.hasRemaining() && messages.remaining() < all) {
        link.close();
      }
    }
  }

  void sendPages(long guestAddress, ByteBuffer bytes) {
    send(new MigrationMessage.Pages(guestAddress, bytes.remaining()));
    boolean sent = false;
    try {
      link.send(bytes, deadline());
      sent = true;
    } finally {
      if (!sent) {
        link.close(); // the other side was promised these bytes
      }
    }
  }

  MigrationMessage receive() {
    header.clear();
    link.receive(header, deadline());
    ByteBuffer body = ByteBuffer.allocate(MigrationMessage.bodyLength(header));
    link.receive(body, deadline());
    return MigrationMessage.decode(header.get(0) & 0xff, body.flip());
  }

  void receiveBytes(ByteBuffer into) {
    link.receive(into, deadline());
  }

  boolean awaitReadable(Duration patience) {
    return link.awaitReadable(Deadline.after(patience));
  }

  private Deadline deadline() {
    return Deadline.after(within);
  }
}
