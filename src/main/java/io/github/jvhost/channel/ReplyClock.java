package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MessageClass;
import org.jspecify.annotations.Nullable;

/** When a reply is overdue; see {@link ReplyDeadlines}. */
final class ReplyClock {
  private ReplyDeadlines deadlines = ReplyDeadlines.DEFAULTS;
  private @Nullable MessageClass slowest;
  private long lastReply = System.nanoTime();

  void set(ReplyDeadlines deadlines) {
    this.deadlines = deadlines;
  }

  /** A request is under way, answered or not: whoever is answered next carries its work too. */
  void sent(FrontEndRequest request) {
    MessageClass messageClass = request.messageClass();
    if (slowest == null || allowedNanos(messageClass) > allowedNanos(slowest)) {
      slowest = messageClass;
    }
  }

  /** The class that bounds the answer to the request that was just sent. */
  MessageClass takeSlowest(FrontEndRequest request) {
    MessageClass longest = slowest == null ? request.messageClass() : slowest;
    slowest = null;
    return longest;
  }

  void replyCame() {
    lastReply = System.nanoTime();
  }

  /** When the newest reply came ({@link System#nanoTime}). */
  long lastReply() {
    return lastReply;
  }

  long allowedNanos(MessageClass messageClass) {
    return deadlines.of(messageClass).toNanos();
  }

  /** Nanoseconds until an answer is overdue, not positive once it is. */
  long nanosLeft(MessageClass messageClass, long writtenAt, long now) {
    long since = lastReply - writtenAt > 0 ? lastReply : writtenAt;
    return allowedNanos(messageClass) - (now - since);
  }
}
