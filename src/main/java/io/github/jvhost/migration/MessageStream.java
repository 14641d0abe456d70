package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Messages over a link, one at a time, each within the same bound. One thread receives; any may
 * send, and messages never mix: the destination says ABORT while presetup still answers.
 */
final class MessageStream {
  private static final Logger log = LoggerFactory.getLogger(MessageStream.class);

  /** Holds the record of a device with hundreds of rings. */
  private static final int USUAL_BODY = 1 << 16;

  private final MigrationLink link;
  private final Duration within;
  private final ByteBuffer header = ByteBuffer.allocate(MigrationMessage.HEADER);

  /** Who sends what is received here. */
  private final MessageTable.End other;

  /** For the other side's silence. */
  private final Deadline receiving;

  /** For its silence while it stops or starts its devices. */
  private final Deadline receivingInWindow;

  /** How far the other side had brought this one when something was received last. */
  private Phase phase = Phase.SETUP;

  /** The body of the message that was received last; grows, and is used again. */
  private ByteBuffer body = ByteBuffer.allocateDirect(USUAL_BODY);

  MessageStream(MigrationLink link, MessageTable.End other, MigrationOptions options) {
    this.link = link;
    this.other = other;
    this.within = options.linkWithin();
    this.receiving = Deadline.after(within);
    this.receivingInWindow = Deadline.after(options.windowWithin());
  }

  void send(MigrationMessage message) {
    send(message.encode());
  }

  /**
   * Encoded messages; what remains in the buffer where this fails was not sent. After half a
   * message nothing else can be said: the link is closed, so that the other side hears of it at
   * once.
   */
  synchronized void send(ByteBuffer messages) {
    int all = messages.remaining();
    try {
      link.send(messages, deadline());
    } finally {
      if (messages.hasRemaining() && messages.remaining() < all) {
        link.close();
      }
    }
  }

  /** Says it if that can be: nothing depends on it. */
  void trySend(MigrationMessage message) {
    try {
      send(message);
    } catch (Throwable e) { // an embedder's link may throw anything
      log.debug("the other side could not be told {}: {}", message, e.toString());
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
   * Receives the next message.
   *
   * @param now how far the other side has brought this one: what may come then, {@link
   *     MessageTable} says. When the guest is stopped the other side stops or starts its devices,
   *     and is quiet for as long as their back ends take
   * @throws MigrationException it is no message, or not one that may come now
   */
  MigrationMessage receive(Phase now) {
    phase = now;
    header.clear();
    receiveBytes(header);
    int length = MigrationMessage.bodyLength(header);
    if (length > body.capacity()) {
      body = ByteBuffer.allocateDirect(Math.max(length, 2 * body.capacity()));
    }
    body.clear().limit(length);
    receiveBytes(body);
    MigrationMessage message = MessageTable.read(header.get(0) & 0xff, body.flip());
    MessageTable.requireExpected(message, other, now);
    return message;
  }

  /** Receives what belongs to a message, until the buffer is full. */
  void receiveBytes(ByteBuffer into) {
    Deadline silence = phase.compareTo(Phase.STOP) >= 0 ? receivingInWindow : receiving;
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
