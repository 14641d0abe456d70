package io.github.jvhost.vhost;

import io.github.jvhost.channel.PreparedMessages;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A plan that was made and encoded ahead of time, of which only where rings go on is still open. It
 * is told like any other, but without making an object: what the window would have made is here.
 *
 * <pre>
 *   ring 0 base 0 -&gt; 17   kick   call   ring 1 base 0 -&gt; 4711 ...   status 0xf   barrier
 *                   \ patched                         \ patched
 * </pre>
 *
 * <p>It is possible for plans that wait for nothing but their end: what depends on an answer, or
 * makes another device of it, is told the usual way ({@link VhostUserExecution}).
 *
 * <p>Whether single messages ask for an acknowledgement depends on the back end:
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
 */
final class PreparedPlan {
  /** For {@link #stepOfAnswer}: the answer behind the last step. */
  static final int BARRIER = -1;

  private static final int NOT_A_BASE = -1;

  /** What no other device is made of. */
  private static final Set<Fact<?>> PLAIN =
      Set.of(Fact.BASE, Fact.SIZE, Fact.KICK, Fact.CALL, Fact.ERR, Fact.STATUS);

  private final Plan plan;
  private final VhostUserChannel channel;
  private final PreparedMessages messages;

  /** By step: the ring whose base it tells, or {@link #NOT_A_BASE}, and where that is patched. */
  private final int[] ring;

  private final int[] place;

  /** By step: the base that was patched in. */
  private final int[] told;

  /** By answer: the step that it answers. */
  private final int[] stepOfAnswer;

  private PreparedPlan(
      Plan plan, VhostUserChannel channel, PreparedMessages messages, int[] place, int[] answers) {
    this.plan = plan;
    this.channel = channel;
    this.messages = messages;
    this.place = place;
    this.stepOfAnswer = answers;
    int steps = plan.steps().size();
    this.ring = new int[steps];
    this.told = new int[steps];
    for (int i = 0; i < steps; i++) {
      Step step = plan.steps().get(i).step();
      ring[i] = step instanceof Step.Set<?> s && s.fact() == Fact.BASE ? s.ring() : NOT_A_BASE;
    }
  }

  /**
   * Encodes a plan.
   *
   * @return null: it cannot be told without waiting on the way
   */
  static @Nullable PreparedPlan of(Plan planned, VhostUserChannel channel) {
    if (planned.isEmpty()) {
      return null;
    }
    Plan plan = aheadOfTime(planned);
    PreparedMessages.Builder builder = channel.prepare();
    int[] place = new int[plan.steps().size()];
    List<Integer> answers = new ArrayList<>();
    for (int i = 0; i < place.length; i++) {
      PlannedStep step = plan.steps().get(i);
      if (!isPlain(step)) {
        return null;
      }
      StepMessage message =
          StepMessage.of(step.step(), null, null, plan.capabilities().usesGuestAddresses());
      boolean acknowledged = isAcknowledged(step);
      place[i] =
          builder.add(message.request(), message.payload(), message.descriptors(), acknowledged);
      if (acknowledged || step.step() instanceof Step.StopRing) {
        answers.add(i);
      }
    }
    if (!plan.lifecycle().isStopped()) {
      builder.add(barrier(plan), NoPayload.INSTANCE, List.of(), false);
      answers.add(BARRIER);
    }
    if (answers.isEmpty()) {
      return null; // it is told and done: there is nothing to wait for, and to be found readable
    }
    int[] steps = answers.stream().mapToInt(Integer::intValue).toArray();
    return new PreparedPlan(plan, channel, builder.build(), place, steps);
  }

  /**
   * The plan as it is told if it can be prepared: with no acknowledgement for single rings where
   * the barrier vouches for them.
   */
  static Plan aheadOfTime(Plan plan) {
    if (!plan.capabilities().profile().hangsUpOnRefusal()
        || !plan.steps().stream().allMatch(PreparedPlan::isPlain)) {
      return plan;
    }
    List<PlannedStep> steps = plan.steps().stream().map(PreparedPlan::unacknowledged).toList();
    return new Plan(
        steps, plan.capabilities(), plan.lifecycle(), plan.generation(), plan.readsStatusAtEnd());
  }

  private static PlannedStep unacknowledged(PlannedStep s) {
    return s.step().ring() != Step.NO_RING && isAcknowledged(s)
        ? new PlannedStep(s.step(), Answer.NONE, s.field(), s.before(), s.after(), s.why())
        : s;
  }

  /** Whether it asks for an answer that it would not have otherwise. */
  private static boolean isAcknowledged(PlannedStep s) {
    return s.answer() == Answer.COLLECTED && !(s.step() instanceof Step.StopRing);
  }

  /** The request whose answer says that everything before it was handled. */
  static FrontEndRequest barrier(Plan plan) {
    return plan.capabilities().hasStatus()
        ? FrontEndRequest.GET_STATUS
        : FrontEndRequest.GET_FEATURES;
  }

  /** Whether nothing has to be awaited behind it, and nothing before it. */
  private static boolean isPlain(PlannedStep planned) {
    return switch (planned.step()) {
      case Step.StopRing _ -> true;
      case Step.Set<?> s -> PLAIN.contains(s.fact()) && planned.answer() != Answer.AWAITED;
      case Step.SetRingAddress _ -> planned.answer() != Answer.AWAITED;
      // Of what makes another device of it each refusal has to be told apart.
      case Step.ResumeRing _,
          Step.ReadStatus _,
          Step.AddRegion _,
          Step.RemoveRegion _,
          Step.GetInflight _,
          Step.ReturnInflight _,
          Step.ResetDevice _,
          Step.BeginPresetup _,
          Step.EndPresetup _ ->
          false;
    };
  }

  VhostUserChannel channel() {
    return channel;
  }

  PreparedMessages messages() {
    return messages;
  }

  /** What the plan was when it was made. */
  Plan asPlanned() {
    return plan;
  }

  /** How many steps. */
  int size() {
    return place.length;
  }

  /** The ring whose base a step tells; negative: it tells none. */
  int ringOf(int step) {
    return ring[step];
  }

  /** Whether a step stops a ring, so that its answer is a base; {@link #BARRIER} does not. */
  boolean stopsRing(int step) {
    return step != BARRIER && plan.steps().get(step).step() instanceof Step.StopRing;
  }

  /** Tells another base in that step. */
  void base(int step, int base) {
    told[step] = base;
    messages.number(place[step], base);
  }

  /** The step that an answer belongs to, or {@link #BARRIER}. */
  int stepOfAnswer(int answer) {
    return stepOfAnswer[answer];
  }

  /** The plan as it was told. */
  Plan asTold() {
    List<PlannedStep> steps = new ArrayList<>(plan.steps());
    for (int i = 0; i < steps.size(); i++) {
      PlannedStep planned = steps.get(i);
      if (ring[i] != NOT_A_BASE) {
        steps.set(
            i,
            new PlannedStep(
                new Step.Set<>(Fact.BASE, ring[i], told[i]),
                planned.answer(),
                planned.field(),
                planned.before(),
                told[i],
                planned.why()));
      }
    }
    return new Plan(
        steps, plan.capabilities(), plan.lifecycle(), plan.generation(), plan.readsStatusAtEnd());
  }
}
