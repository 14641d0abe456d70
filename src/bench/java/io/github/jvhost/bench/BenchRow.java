package io.github.jvhost.bench;

import java.util.OptionalDouble;

/**
 * One result.
 *
 * @param name what was measured, and against what
 * @param goal what it is held against
 * @param measured what came out
 */
public record BenchRow(String name, Goal goal, Measured measured) {

  /** Whether a row meets its goal. */
  public enum Verdict {
    /** The goal is met. */
    HOLDS,
    /** It is not met, or measuring failed. */
    MISSED,
    /** There is no goal, or nothing was measured. */
    OPEN
  }

  /**
   * Two things that were timed in the same run, the medians held against a limit.
   *
   * @param name what was measured, and against what
   * @param limit the ratio that is the goal, at most
   * @param oursNanos median of ours, in nanoseconds for one go
   * @param referenceNanos median of what it is measured against
   * @param ours99Nanos 99th percentile of ours
   * @param reference99Nanos 99th percentile of the reference
   */
  public BenchRow(
      String name,
      double limit,
      long oursNanos,
      long referenceNanos,
      long ours99Nanos,
      long reference99Nanos) {
    this(
        name,
        new Goal.Within(limit, false),
        new Measured.Timed(
            new Times(oursNanos, ours99Nanos), new Times(referenceNanos, reference99Nanos), ""));
  }

  /**
   * What the goal is about: how many times the reference ours takes, by the medians, or, where ours
   * is to be shorter, how many times shorter it is. Empty where nothing was compared.
   */
  public OptionalDouble ratio() {
    if (!(measured instanceof Measured.Timed(Times ours, Times reference, _))) {
      return OptionalDouble.empty();
    }
    return OptionalDouble.of(
        goal instanceof Goal.Shorter
            ? (double) reference.p50() / ours.p50()
            : (double) ours.p50() / reference.p50());
  }

  /** The same of the 99th percentiles. */
  public OptionalDouble ratio99() {
    if (!(measured instanceof Measured.Timed(Times ours, Times reference, _))) {
      return OptionalDouble.empty();
    }
    return OptionalDouble.of(
        goal instanceof Goal.Shorter
            ? (double) reference.p99() / ours.p99()
            : (double) ours.p99() / reference.p99());
  }

  /** Whether the goal is met. */
  public Verdict verdict() {
    if (measured instanceof Measured.Failed) {
      return Verdict.MISSED;
    }
    if (measured instanceof Measured.Not) {
      return Verdict.OPEN;
    }
    return switch (goal) {
      case Goal.Within(double times, boolean tail) ->
          said(ratio().orElseThrow() <= times && (!tail || ratio99().orElseThrow() <= times));
      case Goal.Flat(double times) -> said(ratio().orElseThrow() <= times);
      case Goal.Shorter(double times) -> said(ratio().orElseThrow() >= times);
      case Goal.NoMore(long most, _) -> said(counted() <= most);
      case Goal.Known _ -> Verdict.OPEN;
    };
  }

  private long counted() {
    if (measured instanceof Measured.Counted(long count, _, _)) {
      return count;
    }
    throw new IllegalStateException(name + ": nothing was counted: " + measured);
  }

  private static Verdict said(boolean holds) {
    return holds ? Verdict.HOLDS : Verdict.MISSED;
  }
}
