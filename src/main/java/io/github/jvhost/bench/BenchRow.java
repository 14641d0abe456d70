package io.github.jvhost.bench;

/**
 * One result.
 *
 * @param name what was measured, and against what
 * @param limit the ratio that is the goal, at most
 * @param oursNanos median of ours, in nanoseconds for one go
 * @param referenceNanos median of what it is measured against, in the same run
 * @param ours99Nanos 99th percentile of ours
 * @param reference99Nanos 99th percentile of the reference
 */
public record BenchRow(
    String name,
    double limit,
    long oursNanos,
    long referenceNanos,
    long ours99Nanos,
    long reference99Nanos) {

  /** How many times the reference ours takes, by their medians. */
  public double ratio() {
    return (double) oursNanos / referenceNanos;
  }

  /** Whether the goal is met. */
  public boolean holds() {
    return ratio() <= limit;
  }

  /** The goal for people: "<= 5.0 times". */
  public String goal() {
    return "<= %.1f times".formatted(limit);
  }

  /** What was measured, for people. */
  public String measured() {
    return "p50 %s to %s, p99 %s to %s"
        .formatted(
            time(oursNanos), time(referenceNanos), time(ours99Nanos), time(reference99Nanos));
  }

  private static String time(long nanos) {
    return nanos < 1_000_000 ? "%.1f us".formatted(nanos / 1e3) : "%.2f ms".formatted(nanos / 1e6);
  }
}
