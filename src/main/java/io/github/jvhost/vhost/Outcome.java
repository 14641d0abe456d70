package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What became of a plan. Immutable.
 *
 * @param stepsTaken how many steps, from the first, the back end surely took
 * @param bases one entry a step: the base that came back of a ring that stopped, or that a later
 *     step told again; null for all other steps
 * @param inflight the region that the back end made, now whoever's this is to close; null: it was
 *     not asked, or has none to share
 * @param messages that were sent, the barrier among them
 * @param waits how often the executor had nothing left to do but wait for this back end
 * @param startNanos when the first byte was about to be sent ({@link System#nanoTime})
 * @param endNanos when the last answer had come
 * @param failure why the plan was not carried out whole; null: it was
 */
public record Outcome(
    int stepsTaken,
    List<@Nullable Integer> bases,
    @Nullable InflightRegion inflight,
    int messages,
    int waits,
    long startNanos,
    long endNanos,
    @Nullable VhostException failure) {

  /** An outcome without an in-flight region. */
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

  /** Whether every step was taken. */
  public boolean complete() {
    return failure == null;
  }

  /** The base that belongs to a step, or null. */
  public @Nullable Integer baseOf(int step) {
    return step < bases.size() ? bases.get(step) : null;
  }

  /** Throws the failure, if there was one. */
  public Outcome orThrow() {
    if (failure != null) {
      throw failure;
    }
    return this;
  }

  /** How long it took in microseconds. */
  public long micros() {
    return (endNanos - startNanos) / 1_000;
  }
}
