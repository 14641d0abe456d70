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

  /** Four times as many rounds: about twenty minutes for all benchmarks. */
  public static final Effort FULL = new Effort(60, 240);

  /** Checks the ranges. */
  public Effort {
    if (warmUp < 0 || rounds < 1) {
      throw new IllegalArgumentException(warmUp + " rounds to warm up, " + rounds + " rounds");
    }
  }

  /** The same for something of which one round is shorter or longer than usual. */
  Effort times(double factor) {
    return new Effort(
        (int) Math.ceil(warmUp * factor), Math.max(1, (int) Math.ceil(rounds * factor)));
  }

  /** The same with this many rounds to warm up. */
  Effort warmedUp(int rounds) {
    return new Effort(rounds, this.rounds);
  }
}
