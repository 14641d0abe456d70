package io.github.jvhost.vhost;

import java.time.Duration;
import java.util.Optional;

/**
 * When a back end that has gone is tried again. {@link BackEndWatch} uses it. A device that is not
 * watched is connected again only by {@link VhostNet#reconnect}.
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface ReconnectPolicy {

  /**
   * Returns how long to wait before the next attempt.
   *
   * @param attempt its number, from 1 after each loss
   * @return the pause; empty: no more attempts are made
   */
  Optional<Duration> delayBefore(int attempt);

  /** The device stays without a back end. */
  record Never() implements ReconnectPolicy {
    @Override
    public Optional<Duration> delayBefore(int attempt) {
      return Optional.empty();
    }
  }

  /**
   * Always the same pause.
   *
   * @param pause between two attempts, and before the first: above 0, below 365 days
   * @param attempts how many; 0: without end
   */
  record Fixed(Duration pause, int attempts) implements ReconnectPolicy {
    /** Checks the ranges. */
    public Fixed {
      requirePositive(pause, attempts);
    }

    @Override
    public Optional<Duration> delayBefore(int attempt) {
      return attempts > 0 && attempt > attempts ? Optional.empty() : Optional.of(pause);
    }
  }

  /**
   * Twice the pause each time.
   *
   * @param first before the first attempt: above 0
   * @param longest that a pause becomes: at least {@code first}, below 365 days
   * @param attempts how many; 0: without end
   */
  record BackOff(Duration first, Duration longest, int attempts) implements ReconnectPolicy {
    private static final int MAX_DOUBLINGS = 30;

    /** Checks the ranges. */
    public BackOff {
      requirePositive(first, attempts);
      requirePositive(longest, attempts);
      if (longest.compareTo(first) < 0) {
        throw new IllegalArgumentException("a longest pause of " + longest + " after " + first);
      }
    }

    @Override
    public Optional<Duration> delayBefore(int attempt) {
      if (attempts > 0 && attempt > attempts) {
        return Optional.empty();
      }
      long times = 1L << Math.min(attempt - 1, MAX_DOUBLINGS);
      boolean longer = longest.dividedBy(times).compareTo(first) < 0; // a product may be too large
      return Optional.of(longer ? longest : first.multipliedBy(times));
    }
  }

  private static void requirePositive(Duration pause, int attempts) {
    if (pause.isNegative() || pause.isZero() || pause.toDays() >= 365 || attempts < 0) {
      throw new IllegalArgumentException("a pause of " + pause + ", " + attempts + " attempts");
    }
  }
}
