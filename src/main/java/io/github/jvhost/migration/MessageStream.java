package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Messages over a link, one at a time, each within the same bound. One thread receives; any may
 * send, and messages never mix: the destination says ABORT while presetup still answers. What was
 * received can be looked at as bytes, so that a stop window need not make objects of it.
 */
final class MessageStream {
  /** Holds the record of a device with hundreds of rings. */
  private static final int USUAL_BODY = 1 << 16;

  private final MigrationLink link;
  private final Duration within;
  private final ByteBuffer header = ByteBuffer.allocate(MigrationMessage.HEADER);

  /** For the other side's silence. */
  private final Deadline receiving;

  /** For its silence while it stops or starts its devices. */
  private final Deadline receivingInWindow;

  /** Whether it does that now. */
  private boolean inWindow;

  private final Deadline last;

  /** The body of the message that was received last; grows, and is used again. */
  private ByteBuffer body = ByteBuffer.allocateDirect(USUAL_BODY);

  MessageStream(MigrationLink link, Duration within, Duration windowWithin) {
    this.link = link;
    this.within = within;
    this.receiving = Deadline.after(within);
    this.receivingInWindow = Deadline.after(windowWithin);
    this.last = Deadline.after(within);
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
    send(messages, deadline());
  }

  /** The same for what a stop window ends with: it makes no object. */
  void sendLast(ByteBuffer messages) {
    last.restart();
    send(messages, last);
  }

  private synchronized void send(ByteBuffer messages, Deadline deadline) {
    int all = messages.remaining();
    try {
      link.send(messages, deadline);
    } finally {
      if (messages.hasRemaining() && messages.remaining() < all) {
        link.close();
      }
    }
  }

  synchronized void sendPages(long guestAddress, ByteBuffer bytes) {
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

  /**
   * From here on the other side stops or starts its devices, and is quiet for as long as their back
   * ends take. It makes no object.
   */
  void otherSideIsInWindow() {
    inWindow = true;
  }

  /** Receives the next message, as bytes: {@link #type}, {@link #body}, {@link #decoded}. */
  void next() {
    header.clear();
    receiveBytes(header);
    int length = MigrationMessage.bodyLength(header);
    if (length > body.capacity()) {
      body = ByteBuffer.allocateDirect(Math.max(length, 2 * body.capacity()));
    }
    body.clear().limit(length);
    receiveBytes(body);
    body.flip();
  }

  /** What kind of message it is. */
  int type() {
    return header.get(0) & 0xff;
  }

  /** Its body, until the next one is received. */
  ByteBuffer body() {
    return body;
  }

  /**
   * The message itself.
   *
   * @throws MigrationException it is none
   */
  MigrationMessage decoded() {
    return MigrationMessage.decode(type(), body);
  }

  MigrationMessage receive() {
    next();
    return decoded();
  }

  void receiveBytes(ByteBuffer into) {
    Deadline silence = inWindow ? receivingInWindow : receiving;
    silence.restart();
    link.receive(into, silence);
  }

  boolean awaitReadable(Duration patience) {
    return link.awaitReadable(Deadline.after(patience));
  }

  private Deadline deadline() {
    return Deadline.after(within);
  }
}
