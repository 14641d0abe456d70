package io.github.jvhost.migration;

import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Messages over a link, one at a time, each within the same bound. One thread receives. Any thread
 * may send, and messages never mix: the destination may send ABORT while presetup still answers.
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

  /** How long the other side may be silent. */
  private final Deadline receiving;

  /** The same while it stops or starts its devices. */
  private final Deadline receivingInWindow;

  /** The phase of this side when something was received last. */
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
   * Sends encoded messages. If this fails, what remains in the buffer was not sent. After part of a
   * message no other can follow, so the link is closed.
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

  /** Sends a message if that is possible; a failure is only logged. */
  void trySend(MigrationMessage message) {
    try {
      send(message);
    } catch (Throwable e) { // an embedder's link may throw anything
      log.debug("{} could not be sent to the other side: {}", message, e.toString());
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
        link.close(); // the other side expects these bytes next
      }
    }
  }

  /**
   * Receives the next message.
   *
   * @param now the phase into which the other side's messages have moved this one. {@link
   *     MessageTable} says what may come in it. From STOP on, the other side stops or starts its
   *     devices, and may be quiet for longer
   * @throws MigrationException if it is no message, or not one that may come now
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

  /** Receives bytes of a message until the buffer is full. */
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
