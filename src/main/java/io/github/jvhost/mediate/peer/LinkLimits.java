package io.github.jvhost.mediate.peer;

import java.util.concurrent.TimeUnit;

/**
 * The times of a link, and how much a peer may send.
 *
 * @param beatNanos between two signs of life
 * @param silenceNanos without a whole line, or without room for ours, until the peer counts as dead
 * @param shortestPauseNanos after the first connection that failed
 * @param longestPauseNanos between two attempts; a connection that lasted longer was a good one
 * @param windowNanos in which lines and bytes are counted
 * @param linesInWindow the most lines
 * @param bytesInWindow the most bytes
 */
record LinkLimits(
    long beatNanos,
    long silenceNanos,
    long shortestPauseNanos,
    long longestPauseNanos,
    long windowNanos,
    int linesInWindow,
    int bytesInWindow) {
  static final LinkLimits USUAL =
      new LinkLimits(
          TimeUnit.SECONDS.toNanos(3),
          TimeUnit.SECONDS.toNanos(10),
          TimeUnit.MILLISECONDS.toNanos(100),
          TimeUnit.SECONDS.toNanos(5),
          TimeUnit.SECONDS.toNanos(1),
          4096,
          16 << 20);
}
