package io.github.jvhost.testkit.trace;

import java.util.Arrays;

/** Sorted times, for medians and percentiles. Immutable, and so thread-safe. */
public final class SortedTimes {
  private final long[] nanos;

  private SortedTimes(long[] nanos) {
    this.nanos = nanos;
  }

  /**
   * Sorts a copy of times.
   *
   * @param nanos the times in nanoseconds, in any order
   * @param count how many of them to use, from the first
   * @return the sorted times
   */
  public static SortedTimes of(long[] nanos, int count) {
    long[] sorted = Arrays.copyOf(nanos, count);
    Arrays.sort(sorted);
    return new SortedTimes(sorted);
  }

  /** {@return how many times there are} */
  public int count() {
    return nanos.length;
  }

  /**
   * Returns the smallest time that at least this share of all times does not exceed.
   *
   * @param percent the share in percent, above 0, up to 100
   * @return nanoseconds; 0 if there are no times
   */
  public long percentile(double percent) {
    if (nanos.length == 0) {
      return 0;
    }
    int rank = (int) Math.ceil(nanos.length * percent / 100);
    return nanos[Math.clamp(rank - 1L, 0, nanos.length - 1)];
  }
}
