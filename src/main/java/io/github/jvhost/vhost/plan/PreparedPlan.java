package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes a plan that can be encoded before the stop window. That is possible for a plan that waits
 * only at its end, and that changes only where the rings of a device are and whether they run.
 *
 * <p>Whether single steps ask for an acknowledgement depends on the back end:
 *
 * <pre>
 *   it hangs up when it refuses a message ({@link BackEndProfile#hangsUpOnRefusal})
 *       no step asks: the back end answers the barrier only if it took everything before it.
 *       Each acknowledgement would wake this side once more while the guest is stopped
 *       (epoll_wait, recvmsg, epoll_ctl), and cost the back end a write
 *   any other, with REPLY_ACK
 *       each step asks, and one wait collects the answers: such a back end may refuse a
 *       message silently and still answer the barrier
 *   without REPLY_ACK
 *       no step can ask
 * </pre>
 *
 * <p>Pure functions: thread-safe.
 */
public final class PreparedPlan {
  private PreparedPlan() {}

  /**
   * {@return the plan as it is sent, if it can be made before the stop window; null if it cannot,
   * or if there is nothing to send}
   *
   * @param planned as the planner made it
   */
  public static @Nullable Plan ofOrNull(Plan planned) {
    if (planned.isEmpty() || !planned.steps().stream().allMatch(PreparedPlan::isPlain)) {
      return null;
    }
    return acknowledgedWhereNeeded(planned);
  }

  /**
   * {@return the plan in which a step of a ring asks for an acknowledgement only if this back end
   * needs to be asked} See the table above.
   *
   * @param planned as the planner made it
   */
  public static Plan acknowledgedWhereNeeded(Plan planned) {
    if (!planned.capabilities().profile().hangsUpOnRefusal()) {
      return planned;
    }
    return with(planned, planned.steps().stream().map(PreparedPlan::unacknowledged).toList());
  }

  /**
   * {@return the plan with other bases}
   *
   * @param planned any
   * @param bases by index of the step; null: the step stays as it is
   */
  public static Plan withBases(Plan planned, @Nullable Integer[] bases) {
    List<PlannedStep> steps = new ArrayList<>(planned.steps());
    for (int i = 0; i < bases.length; i++) {
      Integer base = bases[i];
      if (base != null) {
        PlannedStep s = steps.get(i);
        var set = new Step.Set<>(Fact.BASE, s.step().ring(), base);
        steps.set(i, new PlannedStep(set, s.answer(), s.field(), s.before(), base, s.why()));
      }
    }
    return with(planned, steps);
  }

  private static Plan with(Plan plan, List<PlannedStep> steps) {
    return new Plan(steps, plan.capabilities(), plan.lifecycle(), plan.generation(), plan.end());
  }

  private static PlannedStep unacknowledged(PlannedStep s) {
    boolean asks =
        s.step().ring() != Step.NO_RING
            && s.answer() == Answer.COLLECTED
            && !(s.step() instanceof Step.StopRing);
    return asks
        ? new PlannedStep(s.step(), Answer.NONE, s.field(), s.before(), s.after(), s.why())
        : s;
  }

  /** Whether no answer has to be awaited before or after this step. */
  private static boolean isPlain(PlannedStep planned) {
    return switch (planned.step()) {
      case Step.StopRing _ -> true;
      case Step.Set<?> s -> s.fact().isMadeAhead() && planned.answer() != Answer.AWAITED;
      case Step.SetRingAddress _ -> planned.answer() != Answer.AWAITED;
      // These change the device as a whole: each needs its own answer, to see which was refused.
      default -> false;
    };
  }
}
