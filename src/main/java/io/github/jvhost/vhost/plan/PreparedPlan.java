package io.github.jvhost.vhost.plan;

import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A plan as it is carried out when it was made ahead of the stop window. That is possible for plans
 * that wait for nothing but their end, and that change nothing of a device but where its rings are
 * and whether they run.
 *
 * <p>Whether single steps ask for an acknowledgement depends on the back end:
 *
 * <pre>
 *   it hangs up where it refuses ({@link BackEndProfile#hangsUpOnRefusal})
 *       none asks: the barrier at the end is only answered where everything before it was taken.
 *       Each acknowledgement would wake this side once more while the guest stands still
 *       (epoll_wait, recvmsg, epoll_ctl), and cost the back end a write
 *   any other, with REPLY_ACK
 *       each asks, and the answers are collected in the same wait: such a back end may refuse a
 *       message without a word, and answer the barrier all the same
 *   without REPLY_ACK
 *       none can ask
 * </pre>
 *
 * <p>Pure functions: thread-safe.
 */
public final class PreparedPlan {
  /** What no other device is made of. */
  private static final Set<Fact<?>> PLAIN =
      Set.of(Fact.BASE, Fact.SIZE, Fact.KICK, Fact.CALL, Fact.ERR, Fact.STATUS);

  private PreparedPlan() {}

  /**
   * {@return the plan as it is told if it can be made ahead of time; null: it cannot, or there is
   * nothing to tell}
   *
   * @param planned as the planner made it
   */
  public static @Nullable Plan ofOrNull(Plan planned) {
    if (planned.isEmpty() || !planned.steps().stream().allMatch(PreparedPlan::isPlain)) {
      return null;
    }
    if (!planned.capabilities().profile().hangsUpOnRefusal()) {
      return planned;
    }
    return with(planned, planned.steps().stream().map(PreparedPlan::unacknowledged).toList());
  }

  /**
   * {@return the plan with other bases}
   *
   * @param planned any
   * @param bases by step that sets one; null: the step stays as it is
   */
  public static Plan withBases(Plan planned, @Nullable Integer[] bases) {
    List<PlannedStep> steps = new ArrayList<>(planned.steps());
    for (int i = 0; i < bases.length; i++) {
      Integer base = bases[i];
      if (base != null) {
        PlannedStep s = steps.get(i);
        var told = new Step.Set<>(Fact.BASE, s.step().ring(), base);
        steps.set(i, new PlannedStep(told, s.answer(), s.field(), s.before(), base, s.why()));
      }
    }
    return with(planned, steps);
  }

  private static Plan with(Plan plan, List<PlannedStep> steps) {
    return new Plan(
        steps, plan.capabilities(), plan.lifecycle(), plan.generation(), plan.readsStatusAtEnd());
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

  /** Whether nothing has to be awaited before it or behind it. */
  private static boolean isPlain(PlannedStep planned) {
    return switch (planned.step()) {
      case Step.StopRing _ -> true;
      case Step.Set<?> s -> PLAIN.contains(s.fact()) && planned.answer() != Answer.AWAITED;
      case Step.SetRingAddress _ -> planned.answer() != Answer.AWAITED;
      // Of what makes another device of it each refusal has to be told apart.
      default -> false;
    };
  }
}
