package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.PreparedMessages;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Step;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A {@link PreparedPlan} on its way. As long as nothing goes wrong it allocates nothing until its
 * {@link #plan} or {@link #outcome} is asked for.
 */
final class PreparedExecution extends ChannelExecution {
  private final PreparedPlan prepared;
  private final PreparedMessages messages;
  private final Deadline deadline;
  private int taken;

  /**
   * Not begun.
   *
   * @param deadline for all of it; its time begins with the first {@link #advance}
   */
  PreparedExecution(PreparedPlan prepared, Deadline deadline) {
    super(prepared.channel());
    this.prepared = prepared;
    this.messages = prepared.messages();
    this.deadline = deadline;
  }

  @Override
  public boolean advance(boolean readable) {
    if (isFinished()) {
      return true;
    }
    try {
      if (!isBegun()) {
        begins();
        deadline.restart(startNanos());
        channel().send(messages, deadline);
      }
      if (readable && channel().receive(messages)) {
        ends();
        check();
      }
    } catch (VhostException e) {
      failed(e);
    }
    return isFinished();
  }

  /** What was answered before counts; with all of it there, what came behind it is of no matter. */
  private void failed(VhostException e) {
    check();
    if (isBegun() && messages.complete() && failure() == null) {
      ends();
    } else {
      abandon(e);
    }
  }

  /** Looks at the answers in order; the first that is a refusal ends it. */
  private void check() {
    for (int i = 0; i < messages.answered(); i++) {
      int step = prepared.stepOfAnswer(i);
      VhostException wrong =
          step == PreparedPlan.BARRIER
              ? Answers.checkBarrier(channel().name(), prepared.asPlanned(), messages.answer(i))
              : checkAnswer(step, messages.answer(i));
      fails(wrong);
      if (wrong != null && step != PreparedPlan.BARRIER) {
        return;
      }
      taken = step == PreparedPlan.BARRIER ? prepared.size() : step + 1;
    }
    if (failure() == null && messages.complete()) {
      taken = prepared.size();
    }
  }

  private @Nullable VhostException checkAnswer(int step, long answer) {
    PlannedStep planned = prepared.asPlanned().steps().get(step);
    if (!(planned.step() instanceof Step.StopRing(int ring))) {
      return answer == 0 ? null : Answers.refused(channel().name(), planned, "answered " + answer);
    }
    return (int) answer == ring
        ? null
        : Answers.refused(channel().name(), planned, "answered ring %d".formatted((int) answer));
  }

  @Override
  void rewind() {
    super.rewind();
    taken = 0;
  }

  @Override
  Plan asPlanned() {
    return prepared.asPlanned();
  }

  /** How many answers have come, once it is finished. */
  int answers() {
    return messages.answered();
  }

  /** Of a stop: the ring that an answer is about. */
  int ringOfAnswer(int answer) {
    return (int) messages.answer(answer);
  }

  /** Of a stop: where that ring stopped, in the encoding of GET_VRING_BASE. */
  int baseOfAnswer(int answer) {
    return (int) (messages.answer(answer) >>> 32);
  }

  @Override
  public Plan plan() {
    return prepared.asTold();
  }

  @Override
  public void record(Outcome outcome) {
    messages.record();
    record(prepared.asPlanned(), true, outcome);
  }

  @Override
  Outcome whatBecameOfIt() {
    @Nullable Integer[] bases = new Integer[prepared.size()];
    for (int i = 0; i < messages.answered(); i++) {
      int step = prepared.stepOfAnswer(i);
      if (step < taken && prepared.stopsRing(step)) {
        bases[step] = (int) (messages.answer(i) >>> 32);
      }
    }
    return new Outcome(
        isBegun() ? prepared.size() : 0,
        taken,
        Arrays.asList(bases),
        null,
        List.of(),
        isBegun() ? messages.messages() : 0,
        isBegun() ? 1 : 0,
        startNanos(),
        endNanos(),
        failure());
  }
}
