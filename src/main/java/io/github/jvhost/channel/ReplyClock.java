package io.github.jvhost.channel;

import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.ReplyDeadlines;
import org.jspecify.annotations.Nullable;

/** When a reply is overdue; see {@link ReplyDeadlines}. */
final class ReplyClock {
  private ReplyDeadlines deadlines = ReplyDeadlines.DEFAULTS;
  private @Nullable MessageClass slowest;
  private long lastReply = System.nanoTime();

  void set(ReplyDeadlines deadlines) {
    this.deadlines = deadlines;
  }

  /** Notes requests that are not answered: the next answer also waits for their work. */
  void unanswered(@Nullable MessageClass slowestOfThem) {
    if (slowestOfThem != null) {
      slowest = slowest == null ? slowestOfThem : slower(slowest, slowestOfThem);
    }
  }

  /**
   * The class whose limit counts for an answer: its own, or a slower one of the unanswered requests
   * before it.
   */
  MessageClass bound(MessageClass own) {
    MessageClass longest = slowest == null ? own : slower(slowest, own);
    slowest = null;
    return longest;
  }

  /** Which of two classes may take longer. */
  MessageClass slower(MessageClass one, MessageClass other) {
    return allowedNanos(other) > allowedNanos(one) ? other : one;
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
