package io.github.jvhost.vhost.plan;

import io.github.jvhost.VhostException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The result of carrying out a plan. Immutable.
 *
 * @param stepsSent how many steps, from the first, were sent, the last one perhaps in part. What
 *     was not sent has changed nothing at the back end
 * @param stepsTaken how many steps, from the first, the back end surely took
 * @param bases one entry a step: the base that came back when a ring stopped, or that a later step
 *     sent again; null for all other steps
 * @param inflight the region that the back end made, which the receiver of this outcome closes;
 *     null: the back end was not asked, or has none to share
 * @param refusedBases answers to GET_VRING_BASE that did not count, because guest memory or the
 *     in-flight region ruled them out; copied
 * @param messages that were sent, the barrier among them
 * @param waits how often the executor had nothing left to do but wait for this back end
 * @param startNanos when the first byte was about to be sent ({@link System#nanoTime})
 * @param endNanos when the last answer had come
 * @param failure why the plan was not carried out whole; null: it was
 */
public record Outcome(
    int stepsSent,
    int stepsTaken,
    List<@Nullable Integer> bases,
    @Nullable InflightRegion inflight,
    List<RefusedBase> refusedBases,
    int messages,
    int waits,
    long startNanos,
    long endNanos,
    @Nullable VhostException failure) {
  private static final int ALL = Integer.MAX_VALUE;

  /** Copies the list of refused bases. */
  public Outcome {
    refusedBases = List.copyOf(refusedBases);
  }

  /**
   * An outcome of a plan of which all steps were sent and all bases counted.
   *
   * @param stepsTaken how many steps, from the first, the back end surely took
   * @param bases one entry a step: the base that came back or was sent again; null for all other
   *     steps
   * @param inflight the region that the back end made; null: none
   * @param messages that were sent, the barrier among them
   * @param waits how often the executor had nothing left to do but wait for this back end
   * @param startNanos when the first byte was about to be sent ({@link System#nanoTime})
   * @param endNanos when the last answer had come
   * @param failure why the plan was not carried out whole; null: it was
   */
  public Outcome(
      int stepsTaken,
      List<@Nullable Integer> bases,
      @Nullable InflightRegion inflight,
      int messages,
      int waits,
      long startNanos,
      long endNanos,
      @Nullable VhostException failure) {
    this(
        ALL,
        stepsTaken,
        bases,
        inflight,
        List.of(),
        messages,
        waits,
        startNanos,
        endNanos,
        failure);
  }

  /**
   * The same without an in-flight region.
   *
   * @param stepsTaken how many steps, from the first, the back end surely took
   * @param bases one entry a step: the base that came back or was sent again; null for all other
   *     steps
   * @param messages that were sent, the barrier among them
   * @param waits how often the executor had nothing left to do but wait for this back end
   * @param startNanos when the first byte was about to be sent ({@link System#nanoTime})
   * @param endNanos when the last answer had come
   * @param failure why the plan was not carried out whole; null: it was
   */
  public Outcome(
      int stepsTaken,
      List<@Nullable Integer> bases,
      int messages,
      int waits,
      long startNanos,
      long endNanos,
      @Nullable VhostException failure) {
    this(stepsTaken, bases, null, messages, waits, startNanos, endNanos, failure);
  }

  /**
   * {@return the outcome of a plan that was carried out whole, by somebody who has not kept more of
   * it: no base, no region, no message}
   *
   * @param plan that was carried out
   */
  public static Outcome ofAll(Plan plan) {
    return new Outcome(plan.steps().size(), List.of(), 0, 0, 0, 0, null);
  }

  /**
   * {@return the same outcome with answers to GET_VRING_BASE that did not count}
   *
   * @param refused copied
   */
  public Outcome withRefused(List<RefusedBase> refused) {
    return new Outcome(
        stepsSent,
        stepsTaken,
        bases,
        inflight,
        refused,
        messages,
        waits,
        startNanos,
        endNanos,
        failure);
  }

  /** {@return whether the back end took every step} */
  public boolean complete() {
    return failure == null;
  }

  /**
   * {@return the base that belongs to a step, in the encoding of SET_VRING_BASE; null if none does,
   * or if it did not come}
   *
   * @param step its index in the plan, from 0
   */
  public @Nullable Integer baseOf(int step) {
    return step < bases.size() ? bases.get(step) : null;
  }

  /**
   * Throws the failure if there was one.
   *
   * @return this outcome, if the back end took every step
   */
  public Outcome orThrow() {
    if (failure != null) {
      throw failure;
    }
    return this;
  }

  /** {@return how long it took, in microseconds} */
  public long micros() {
    return (endNanos - startNanos) / 1_000;
  }

  /** {@return the result in a few words} */
  @Override
  public String toString() {
    return "%d steps taken, %d messages, %d waits, %d us%s"
        .formatted(
            stepsTaken,
            messages,
            waits,
            micros(),
            failure == null ? "" : ", then: " + failure.getMessage());
  }
}
