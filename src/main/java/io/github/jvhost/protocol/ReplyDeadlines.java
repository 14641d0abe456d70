package io.github.jvhost.protocol;

import java.time.Duration;

/**
 * How long a back end may take to answer, by the work that the answer stands for. Time counts from
 * when the message was written or the previous reply came, whichever was later, so that each
 * message of a pipeline has its own time. A message that is not answered adds its work to the next
 * one that is: the longest of their limits counts.
 *
 * <p>These are limits of single messages. A wait has a deadline of its own too; whichever comes
 * first ends it.
 *
 * @param question something is read
 * @param setting something is stored
 * @param memory memory is mapped, pinned, registered with hardware
 * @param stop rings are drained
 * @param start rings or hardware start
 * @param transfer a back end's state, or the rest of guest memory, moves
 */
public record ReplyDeadlines(
    Duration question,
    Duration setting,
    Duration memory,
    Duration stop,
    Duration start,
    Duration transfer) {
  private static final Duration LONGEST = Duration.ofDays(365);

  /**
   * 10 s for what only reads or stores, 30 s to stop, 60 s for memory and to start, because
   * hundreds of gigabytes may be pinned then, and 300 s for a transfer.
   */
  public static final ReplyDeadlines DEFAULTS =
      new ReplyDeadlines(
          Duration.ofSeconds(10),
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofSeconds(30),
          Duration.ofSeconds(60),
          Duration.ofSeconds(300));

  /** Checks that each is more than zero and at most 365 days. */
  public ReplyDeadlines {
    requireSensible(question);
    requireSensible(setting);
    requireSensible(memory);
    requireSensible(stop);
    requireSensible(start);
    requireSensible(transfer);
  }

  private static void requireSensible(Duration time) {
    if (!time.isPositive() || time.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException("a reply deadline of " + time);
    }
  }

  /**
   * {@return the same limit for every class}
   *
   * @param time more than zero, at most 365 days
   */
  public static ReplyDeadlines all(Duration time) {
    return new ReplyDeadlines(time, time, time, time, time, time);
  }

  /**
   * {@return the limit of a class}
   *
   * @param messageClass the work that the answer stands for
   */
  public Duration of(MessageClass messageClass) {
    return switch (messageClass) {
      case QUESTION -> question;
      case SETTING -> setting;
      case MEMORY -> memory;
      case STOP -> stop;
      case START -> start;
      case TRANSFER -> transfer;
    };
  }

  /**
   * {@return these limits, with another one for what only reads}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withQuestion(Duration time) {
    return new ReplyDeadlines(time, setting, memory, stop, start, transfer);
  }

  /**
   * {@return these limits, with another one for what is stored}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withSetting(Duration time) {
    return new ReplyDeadlines(question, time, memory, stop, start, transfer);
  }

  /**
   * {@return these limits, with another one for memory}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withMemory(Duration time) {
    return new ReplyDeadlines(question, setting, time, stop, start, transfer);
  }

  /**
   * {@return these limits, with another one for stopping}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withStop(Duration time) {
    return new ReplyDeadlines(question, setting, memory, time, start, transfer);
  }

  /**
   * {@return these limits, with another one for starting}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withStart(Duration time) {
    return new ReplyDeadlines(question, setting, memory, stop, time, transfer);
  }

  /**
   * {@return these limits, with another one for transfers}
   *
   * @param time more than zero, at most 365 days
   */
  public ReplyDeadlines withTransfer(Duration time) {
    return new ReplyDeadlines(question, setting, memory, stop, start, time);
  }
}
