package io.github.jvhost.sys;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The moment by which an operation must end, on the monotonic clock. A caller passes it to every
 * method that waits, so that an operation with ten waits has one limit. Every deadline is finite.
 *
 * <p>Thread-safe. It changes only when somebody {@linkplain #restart restarts} it. Its owner may do
 * so, and so may code that uses it to limit how long a peer is silent.
 */
public final class Deadline {
  /** The longest time that may be allowed. A front end never has a reason to wait longer. */
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
    // convert() saturates and toNanos() throws. With convert() the constructor refuses what is too
    // long.
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
   * Starts the allowed time again. This is for a deadline that was created in advance to avoid an
   * allocation later, and for a deadline that limits how long a peer is silent. A thread that waits
   * for the deadline sees the restart when the earlier time has passed.
   */
  public void restart() {
    restart(System.nanoTime());
  }

  /**
   * Starts the allowed time again, from a moment that the caller has just read from {@link
   * System#nanoTime}.
   *
   * @param now that moment, in nanoseconds
   */
  public void restart(long now) {
    atNanos = now + allowedNanos;
  }

  /**
   * {@return how many nanoseconds are left at a moment, 0 when the deadline has passed}
   *
   * @param now that moment, from {@link System#nanoTime}
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

  /** {@return the allowed time, for messages} */
  public Duration allowed() {
    return Duration.ofNanos(allowedNanos);
  }

  /** {@return the allowed time, for use after "within" in a message: "2000 ms"} */
  @Override
  public String toString() {
    return allowed().toMillis() + " ms";
  }
}
