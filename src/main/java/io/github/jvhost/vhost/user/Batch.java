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
 * The part of a plan that is sent without waiting in between: the encoded messages, the answers
 * that are expected, and the places of ring bases in the bytes.
 *
 * <pre>
 *   ring 0 base 0 -&gt; 17   address   kick   ring 1 base 0 -&gt; 4711 ...   status 0xf   barrier
 *                   \ patched                              \ patched
 *
 *   a batch ends    after a step whose answer is awaited
 *                   before a base that comes from a stop in the same plan
 *                   before the end of explicit presetup
 * </pre>
 */
final class Batch {
  /** The barrier belongs to no step. */
  private static final int NO_STEP = -1;

  private final Plan plan;
  private final Messages messages;
  private final long protocolFeatures;
  private final int from;
  private final int to;

  /** By message: the step that it sends. */
  private final List<Integer> sent = new ArrayList<>();

  /** By step, from the first of the batch: the place of its payload. */
  private final int[] places;

  private final List<Asked> asked = new ArrayList<>();

  /**
   * An answer that is expected.
   *
   * @param step that it answers; negative: it answers the barrier
   * @param how it is read
   */
  record Asked(int step, Answered how) {}

  /**
   * Encodes the next batch of a plan.
   *
   * @param from its first step
   * @param stoppedAt gives the base at which the plan has stopped a ring, by step and ring
   * @param inflight the region that the back end made in this plan; null: it made none
   * @throws io.github.jvhost.VhostException if the connection cannot carry a message, or if it is
   *     not known where a ring goes on
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
    if (isLast() && !plan.isEmpty() && plan.end() != Plan.End.NOTHING) {
      send(NO_STEP, StepMessage.barrier(plan), false);
    }
  }

  /** Whether a step has to wait for the answers to those before it. */
  private boolean waits(PlannedStep planned) {
    if (asked.isEmpty()) {
      return false;
    }
    // END is sent only after the back end took everything before it. Otherwise it could commit half
    // a configuration to its hardware.
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
      sent.add(step);
    }
    if (messages.answers() > answers) {
      asked.add(new Asked(step, message.answer()));
    }
  }

  Messages messages() {
    return messages;
  }

  /** Whether this is the last batch of the plan. */
  boolean isLast() {
    return to == plan.steps().size();
  }

  /** The first step of the next batch. */
  int to() {
    return to;
  }

  /** The answers that are expected, in their order. */
  List<Asked> asked() {
    return asked;
  }

  /** How many steps of the plan, from its first, may have been sent with this batch and before. */
  int stepsSent() {
    int begun = messages.begun();
    if (begun == messages.count()) {
      return to;
    }
    return begun == 0 ? from : sent.get(begun - 1) + 1;
  }

  /** Replaces the base in a step. */
  void base(int step, int base) {
    messages.number(places[step - from], base);
  }
}
