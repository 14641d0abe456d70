package io.github.jvhost.vhost.kernel;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Carries out a plan on a kernel device, step by step, at the first {@link #advance}. A step that
 * fails ends the plan: what was planned after it is not sent.
 */
public final class Turn implements Execution {
  /** Carries out single steps. */
  public interface Steps {
    /**
     * Looks at a plan before its first step, so that what is sure to be refused is not begun.
     *
     * @throws VhostException if a step would be refused
     */
    default void requirePossible(Plan plan) {}

    /**
     * Carries out one step.
     *
     * @return for a {@link Step.StopRing}: where the ring stopped; null for all other steps
     * @throws VhostException if the kernel refuses
     */
    @Nullable Integer take(Step step);

    /** {@return how many system calls were made so far} */
    int calls();

    /**
     * {@return whether another thread has given the device up, so that no further step is taken}
     */
    boolean givenUp();
  }

  private final String name;
  private final Plan planned;
  private final StoppedRings rings;
  private final Steps steps;

  /** By step: the base that is sent in place of the planned one. */
  private final @Nullable Integer[] patched;

  /** By step: the base that came back, or that was sent again. */
  private final @Nullable Integer[] bases;

  private boolean finished;
  private int sent;
  private int taken;
  private int calls;
  private long startNanos;
  private long endNanos;
  private @Nullable VhostException failure;

  /**
   * A plan of which nothing was done yet.
   *
   * @param name of the device, for errors
   * @param plan to carry out
   * @param rings says where a ring goes on that the plan stops and starts again
   * @param steps carries out each step
   */
  public Turn(String name, Plan plan, StoppedRings rings, Steps steps) {
    this.name = name;
    this.planned = plan;
    this.rings = rings;
    this.steps = steps;
    this.patched = new Integer[plan.steps().size()];
    this.bases = new Integer[plan.steps().size()];
  }

  @Override
  public void base(int step, int base) {
    patched[step] = base;
  }

  @Override
  public boolean advance(boolean ready) {
    if (!finished) {
      int before = steps.calls();
      startNanos = System.nanoTime();
      takeAll();
      calls = steps.calls() - before;
      finish();
    }
    return true;
  }

  private void takeAll() {
    try {
      steps.requirePossible(planned);
    } catch (VhostException e) {
      failure = new VhostException("%s: %s".formatted(name, e.getMessage()), e.recovery(), e);
      return;
    }
    while (taken < bases.length) {
      PlannedStep next = planned.steps().get(taken);
      if (steps.givenUp()) {
        failure =
            new VhostException(
                "%s: %s: given up before it was sent".formatted(name, next.describe()),
                Recovery.RECONNECT);
        return;
      }
      sent = taken + 1;
      try {
        bases[taken] = take(next.step());
      } catch (VhostException e) {
        if (e instanceof UnchangedException) {
          sent = taken; // as if it had not been sent
        }
        failure = failed(next, e.getMessage(), e.recovery(), e);
        return;
      } catch (RuntimeException | Error e) { // the thread of a device has to live on, and close it
        failure = failed(next, e.toString(), Recovery.RECONNECT, e);
        return;
      }
      taken++;
    }
  }

  private VhostException failed(
      PlannedStep step, @Nullable String why, Recovery recovery, Throwable cause) {
    return new VhostException("%s: %s: %s".formatted(name, step.describe(), why), recovery, cause);
  }

  private @Nullable Integer take(Step step) {
    Integer other = patched[taken];
    if (other != null) {
      return steps.take(new Step.Set<>(Fact.BASE, step.ring(), other));
    }
    if (step instanceof Step.ResumeRing(int ring)) {
      int base = stoppedAt(ring);
      steps.take(new Step.Set<>(Fact.BASE, ring, base));
      return base;
    }
    return steps.take(step);
  }

  /** The base at which a ring starts again that an earlier step of this plan has stopped. */
  private int stoppedAt(int ring) {
    Step stop = new Step.StopRing(ring);
    for (int i = taken - 1; i >= 0; i--) {
      Integer answer = bases[i];
      if (answer != null && planned.steps().get(i).step().equals(stop)) {
        Integer base = rings.goesOnAt(ring, answer);
        if (base != null) {
          return base;
        }
      }
    }
    throw new BackEndRefusedException("it is not known where ring " + ring + " stopped");
  }

  private void finish() {
    endNanos = System.nanoTime();
    finished = true;
  }

  @Override
  public int number() {
    return -1;
  }

  @Override
  public void abandon(VhostException why) {
    if (!finished) {
      failure = why;
      startNanos = System.nanoTime();
      finish();
    }
  }

  @Override
  public @Nullable VhostException failure() {
    return failure;
  }

  @Override
  public Plan plan() {
    return PreparedPlan.withBases(planned, patched);
  }

  /** The outcome of a turn that was given up while its thread was in it. */
  Outcome unknownOutcome(VhostException why) {
    long now = System.nanoTime();
    int all = bases.length;
    return new Outcome(
        all, 0, Arrays.asList(new Integer[all]), null, List.of(), 0, 1, now, now, why);
  }

  @Override
  public Outcome outcome() {
    if (!finished) {
      throw new IllegalStateException("the plan is still under way");
    }
    return new Outcome(
        sent,
        taken,
        Arrays.asList(bases.clone()),
        null,
        List.of(),
        calls,
        0,
        startNanos,
        endNanos,
        failure);
  }
}
