package io.github.jvhost.sys;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The moment by which something has to be over, on the monotonic clock. It is passed down through
 * everything that waits, so that a step made of ten waits ends in time all the same. There is no
 * deadline that never comes.
 *
 * <p>Thread-safe. It never moves, unless somebody {@linkplain #restart restarts} it: its owner, or
 * whoever it was given to as a bound on silence.
 */
public final class Deadline {
  /**
   * The longest that may be allowed: nothing that a front end waits for takes longer and still
   * makes sense.
   */
  private static final long LONGEST_NANOS = TimeUnit.DAYS.toNanos(365);

  private final long allowedNanos;
  private volatile long atNanos;

  private Deadline(long allowedNanos) {
    if (allowedNanos < 0 || allowedNanos > LONGEST_NANOS) {
      throw new IllegalArgumentException("a deadline lies between now and one year ahead");
    }
    this.allowedNanos = allowedNanos;
    this.atNanos = System.nanoTime() + allowedNanos;
  }

  /**
   * {@return a deadline this long from now}
   *
   * @param allowed from zero to 365 days
   */
  public static Deadline after(Duration allowed) {
    // A conversion that saturates, where toNanos throws: too long is refused in one place.
    return new Deadline(TimeUnit.NANOSECONDS.convert(allowed));
  }

  /**
   * {@return a deadline this long from now}
   *
   * @param time from zero to 365 days
   * @param unit of {@code time}
   */
  public static Deadline in(long time, TimeUnit unit) {
    return new Deadline(unit.toNanos(time));
  }

  /**
   * Lets its time begin anew: for one that was made ahead of time, because the moment from which it
   * counts is not one for making objects; and for one that bounds how long a peer may be silent.
   * Whoever waits for it on another thread takes note when the time before is over.
   */
  public void restart() {
    restart(System.nanoTime());
  }

  /**
   * The same, from a moment that was just read from {@link System#nanoTime}.
   *
   * @param now that moment, in nanoseconds
   */
  public void restart(long now) {
    atNanos = now + allowedNanos;
  }

  /**
   * {@return how many nanoseconds are left from a moment on, 0 when the deadline has passed by
   * then}
   *
   * @param now that moment, as {@link System#nanoTime} tells it
   */
  public long remainingNanos(long now) {
    return Math.max(0, atNanos - now);
  }

  /** {@return how many nanoseconds are left now, 0 when the deadline has passed} */
  public long remainingNanos() {
    return Math.max(0, atNanos - System.nanoTime());
  }

  /** {@return whether it has passed} */
  public boolean expired() {
    return remainingNanos() == 0;
  }

  /** {@return how long was allowed when the deadline was made, for messages} */
  public Duration allowed() {
    return Duration.ofNanos(allowedNanos);
  }

  /** {@return how long was allowed, as it stands behind "within": "2000 ms"} */
  @Override
  public String toString() {
    return allowed().toMillis() + " ms";
  }
}
