package io.github.jvhost.bench;

import java.util.Locale;
import org.HdrHistogram.Histogram;

/**
 * How long something took, many times over.
 *
 * @param p50 median, nanoseconds
 * @param p99 99th percentile, nanoseconds
 */
public record Times(long p50, long p99) {
  /** Nothing takes no time at all, so that there is something to divide by. */
  public Times {
    p50 = Math.max(1, p50);
    p99 = Math.max(1, p99);
  }

  static Times of(Histogram nanos) {
    return new Times(nanos.getValueAtPercentile(50), nanos.getValueAtPercentile(99));
  }

  /** "p50 3.0 us to 2.0 us, p99 9.00 ms to 8.0 us": these, and what they are measured against. */
  String against(Times reference) {
    return "p50 %s to %s, p99 %s to %s"
        .formatted(text(p50), text(reference.p50), text(p99), text(reference.p99));
  }

  /** "12.3 times shorter": what the medians say where no goal does. */
  String shorterThan(Times reference) {
    return String.format(Locale.ROOT, "%.1f times shorter", (double) reference.p50 / p50);
  }

  /** "3.0 us", "9.00 ms". */
  static String text(long nanos) {
    return nanos < 1_000_000
        ? String.format(Locale.ROOT, "%.1f us", nanos / 1e3)
        : String.format(Locale.ROOT, "%.2f ms", nanos / 1e6);
  }
}
