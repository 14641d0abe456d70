package io.github.jvhost.testkit.net;

import java.util.List;

/**
 * The statistics of a series of pings at one moment. Gaps and {@code recovered} count from the last
 * {@link PingSeries#mark()}, everything else from the beginning.
 *
 * @param sent requests
 * @param answered requests with one answer or more
 * @param duplicates answers beyond the first to the same request
 * @param resent requests whose sequence number had been sent before, because a guest ran from an
 *     older state
 * @param unknown answers without a request
 * @param corrupt answers, or other frames, with wrong bytes
 * @param abandoned unanswered requests that the asker gave up, because it reset its device or
 *     disabled their rings
 * @param lost requests older than the given grace that were neither answered nor abandoned
 * @param inFlight younger requests without an answer
 * @param lostSequences the first lost sequence numbers, at most 32
 * @param longestGapNanos longest time between two consecutive answers; the current gap does not
 *     count
 * @param longestGapFromNanos when that gap began ({@link System#nanoTime()})
 * @param longestGapToNanos when it ended
 * @param sinceLastAnswerNanos time since the last answer, or since the mark if there was none
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
