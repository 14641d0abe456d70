package io.github.jvhost.testkit.net;

import java.util.List;

/**
 * A series of pings as seen at one moment. Gaps and {@code recovered} count from the last {@link
 * PingSeries#mark()}, everything else from the beginning.
 *
 * @param sent requests
 * @param answered requests that were answered, once or more often
 * @param duplicates answers beyond the first to the same request
 * @param resent requests whose sequence number had been sent before: a guest that went back in time
 * @param unknown answers to nothing that was asked
 * @param corrupt answers, or other frames, whose bytes were not those that were sent
 * @param abandoned unanswered requests that the asker itself gave up, by resetting its device or by
 *     disabling the rings that they were in
 * @param lost requests older than the grace that was asked for, neither answered nor abandoned
 * @param inFlight younger requests without an answer
 * @param lostSequences the first of the lost, at most 32
 * @param longestGapNanos longest time between two answers in a row; the one that lasts is not
 *     counted
 * @param longestGapFromNanos when that gap began ({@link System#nanoTime()})
 * @param longestGapToNanos when it ended
 * @param sinceLastAnswerNanos time since the last answer, or since the mark when there was none
 * @param recovered whether a request sent after the mark was answered
 */
public record PingStats(
    long sent,
    long answered,
    long duplicates,
    long resent,
    long unknown,
    long corrupt,
    long abandoned,
    long lost,
    long inFlight,
    List<Long> lostSequences,
    long longestGapNanos,
    long longestGapFromNanos,
    long longestGapToNanos,
    long sinceLastAnswerNanos,
    boolean recovered) {
  /** Copies the list. */
  public PingStats {
    lostSequences = List.copyOf(lostSequences);
  }
}
