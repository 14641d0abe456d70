package io.github.jvhost.testkit.trace;

import java.util.Arrays;

/** Times in order, for medians and the like. Immutable, and so thread-safe. */
public final class SortedTimes {
  private final long[] nanos;

  private SortedTimes(long[] nanos) {
    this.nanos = nanos;
  }

  /**
   * Sorts a copy.
   *
   * @param nanos in any order
   * @param count how many of them count, from the first
   * @return the sorted times
   */
  public static SortedTimes of(long[] nanos, int count) {
    long[] sorted = Arrays.copyOf(nanos, count);
    Arrays.sort(sorted);
    return new SortedTimes(sorted);
  }

  /** {@return how many there are} */
  public int count() {
    return nanos.length;
  }

  /**
   * The smallest that at least this share of all do not exceed.
   *
   * @param percent above 0, up to 100
   * @return nanoseconds; 0 when there are none
   */
  public long percentile(double percent) {
    if (nanos.length == 0) {
      return 0;
    }
    int rank = (int) Math.ceil(nanos.length * percent / 100);
    return nanos[Math.clamp(rank - 1L, 0, nanos.length - 1)];
  }
}
