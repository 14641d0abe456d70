package io.github.jvhost.bench;

/**
 * How long a benchmark goes on.
 *
 * @param warmUp rounds that are not counted
 * @param rounds that are
 */
public record Effort(int warmUp, int rounds) {
  /** A few seconds for each benchmark. */
  public static final Effort QUICK = new Effort(30, 60);

  /** Ten times as long. */
  public static final Effort FULL = new Effort(60, 600);

  /** Checks the ranges. */
  public Effort {
    if (warmUp < 0 || rounds < 1) {
      throw new IllegalArgumentException(warmUp + " rounds to warm up, " + rounds + " rounds");
    }
  }
}
