package io.github.jvhost.vhost.user;

import io.github.jvhost.channel.Messages;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.user.StepMessage.Answered;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntBinaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The part of a plan that is sent without waiting in between: encoded messages, which answers they
 * will have, and where ring bases stand in them.
 *
 * <pre>
 *   ring 0 base 0 -&gt; 17   kick   call   ring 1 base 0 -&gt; 4711 ...   status 0xf   barrier
 *                   \ patched                         \ patched
 *
 *   a batch ends    behind a step whose answer is awaited
 *                   before a base that a stop of the same plan answers
 *                   before the end of an explicit presetup
 * </pre>
 */
final class Batch {
  /** Behind the last step: the barrier's place. */
  private static final int NO_STEP = -1;

  private final Plan plan;
  private final Messages messages;
  private final long protocolFeatures;
  private final int from;
  private final int to;

  /** By message: the step that it tells. */
  private final List<Integer> told = new ArrayList<>();

  /** By step, from the first of the batch: where its payload begins. */
  private final int[] places;

  private final List<Asked> asked = new ArrayList<>();

  /**
   * An answer that will come.
   *
   * @param step that it answers; negative: none, it answers the barrier
   * @param how it is read
   */
  record Asked(int step, Answered how) {}

  /**
   * Encodes the next batch of a plan.
   *
   * @param from its first step
   * @param stoppedAt answers a step and its ring with where the plan has stopped that ring
   * @param inflight the region that the back end made in this plan; null: it made none
   * @throws io.github.jvhost.VhostException the connection cannot carry a message, or where a ring
   *     goes on is not known
   */
  Batch(
      Plan plan,
      int from,
      VhostUserChannel channel,
      IntBinaryOperator stoppedAt,
      @Nullable InflightRegion inflight) {
    this.plan = plan;
    this.from = from;
    this.messages = channel.messages();
    this.protocolFeatures = channel.protocolFeatures();
    List<PlannedStep> steps = plan.steps();
    this.places = new int[steps.size() - from];
    int next = from;
    while (next < steps.size() && !waits(steps.get(next))) {
      add(next, steps.get(next).answer(), steps.get(next).step(), stoppedAt, inflight);
      next++;
    }
    this.to = next;
    if (isLast() && needsBarrier()) {
      send(NO_STEP, StepMessage.barrier(plan), false);
    }
  }

  /** Whether a step has to wait for the answers to those before it. */
  private boolean waits(PlannedStep planned) {
    if (asked.isEmpty()) {
      return false;
    }
    // An explicit presetup is only ended once everything in it is known to be taken: a back end
    // would commit half an image to its hardware otherwise.
    int newest = asked.getLast().step();
    return plan.steps().get(newest).answer() == Answer.AWAITED
        || planned.step() instanceof Step.EndPresetup
        || planned.step() instanceof Step.ResumeRing;
  }

  private void add(
      int index,
      Answer answer,
      Step step,
      IntBinaryOperator stoppedAt,
      @Nullable InflightRegion inflight) {
    if (step instanceof Step.ReturnInflight && inflight == null) {
      return; // the back end has none to share
    }
    Integer base =
        step instanceof Step.ResumeRing(int ring) ? stoppedAt.applyAsInt(index, ring) : null;
    boolean guestAddresses = plan.capabilities().usesGuestAddresses();
    StepMessage message = StepMessage.of(step, base, inflight, guestAddresses);
    boolean explicit = message.request().explicitReply(protocolFeatures).isPresent();
    send(index, message, answer != Answer.NONE && !explicit);
  }

  private void send(int step, StepMessage message, boolean needReply) {
    int answers = messages.answers();
    int place =
        messages.add(message.request(), message.payload(), message.descriptors(), needReply);
    if (step != NO_STEP) {
      places[step - from] = place;
      told.add(step);
    }
    if (messages.answers() > answers) {
      asked.add(new Asked(step, message.answer()));
    }
  }

  /**
   * A device that stops needs none: the answers with its bases are what was waited for, and whether
   * the reset behind them has been done is nothing to keep a guest waiting for.
   */
  private boolean needsBarrier() {
    return !plan.isEmpty() && !plan.lifecycle().isStopped();
  }

  Messages messages() {
    return messages;
  }

  /** Whether the plan ends with it. */
  boolean isLast() {
    return to == plan.steps().size();
  }

  /** The first step of the next batch. */
  int to() {
    return to;
  }

  /** The answers that will come, in their order. */
  List<Asked> asked() {
    return asked;
  }

  /** How many steps of the plan, from its first, may have left with this batch. */
  int stepsTold() {
    int begun = messages.begun();
    if (begun == messages.count()) {
      return to;
    }
    return begun == 0 ? from : told.get(begun - 1) + 1;
  }

  /** Tells another base in a step. */
  void base(int step, int base) {
    messages.number(places[step - from], base);
  }
}
