package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.PreparedMessages;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.sys.Deadline;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A {@link PreparedPlan} on its way. As long as nothing goes wrong it allocates nothing until its
 * {@link #plan} or {@link #outcome} is asked for.
 */
final class PreparedExecution implements Execution {
  private final PreparedPlan prepared;
  private final PreparedMessages messages;
  private final VhostUserChannel channel;
  private final Deadline deadline;
  private final @Nullable PlanEvent event;
  private boolean sent;
  private boolean finished;
  private int taken;
  private long startNanos;
  private long endNanos;
  private @Nullable VhostException failure;

  /**
   * Not begun.
   *
   * @param deadline for all of it; its time begins with the first {@link #advance}
   */
  PreparedExecution(PreparedPlan prepared, Deadline deadline) {
    this.prepared = prepared;
    this.messages = prepared.messages();
    this.channel = prepared.channel();
    this.deadline = deadline;
    this.event = Observation.ofPlan(channel);
  }

  @Override
  public boolean advance(boolean readable) {
    if (finished) {
      return true;
    }
    try {
      if (!sent) {
        sent = true;
        startNanos = System.nanoTime();
        if (event != null) {
          event.begin();
        }
        deadline.restart(startNanos);
        channel.send(messages, deadline);
      }
      if (readable && channel.receive(messages)) {
        ended();
        check();
      }
    } catch (VhostException e) {
      failed(e);
    }
    return finished;
  }

  /** What was answered before counts; with all of it there, what came behind it is of no matter. */
  private void failed(VhostException e) {
    check();
    if (sent && messages.complete() && failure == null) {
      ended();
    } else {
      abandon(e);
    }
  }

  /** Looks at the answers in order; the first that is a refusal ends it. */
  private void check() {
    for (int i = 0; i < messages.answered(); i++) {
      int step = prepared.stepOfAnswer(i);
      failure =
          step == PreparedPlan.BARRIER
              ? Answers.checkBarrier(channel.name(), prepared.asPlanned(), messages.answer(i))
              : checkStop(step, messages.answer(i));
      if (failure != null && step != PreparedPlan.BARRIER) {
        return;
      }
      taken = step == PreparedPlan.BARRIER ? prepared.size() : step + 1;
    }
    if (failure == null && messages.complete()) {
      taken = prepared.size();
    }
  }

  private @Nullable VhostException checkStop(int step, long answer) {
    PlannedStep planned = prepared.asPlanned().steps().get(step);
    boolean right = planned.step() instanceof Step.StopRing(int ring) && (int) answer == ring;
    return right
        ? null
        : Answers.refused(channel.name(), planned, "answered ring %d".formatted((int) answer));
  }

  /** As if nothing of it had been told; its answers have all come. */
  void rewind() {
    sent = false;
    finished = false;
    taken = 0;
    failure = null;
  }

  /** Whether anything of it was told. */
  boolean isBegun() {
    return sent;
  }

  @Override
  public @Nullable VhostException failure() {
    return failure;
  }

  @Override
  public int number() {
    return channel.number();
  }

  @Override
  public int backEndNumber() {
    return channel.backEndNumber();
  }

  @Override
  public void serveBackEnd() {
    channel.serveBackEnd();
  }

  @Override
  public long nanosToDeadline(long now) {
    return channel.nanosToDeadline(now);
  }

  @Override
  public void abandon(VhostException reason) {
    if (!finished) {
      failure = failure == null ? reason : failure;
      ended();
    }
  }

  VhostUserChannel channel() {
    return channel;
  }

  /** What the plan was when it was made. */
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

  private void ended() {
    endNanos = System.nanoTime();
    if (event != null) {
      event.end();
    }
    finished = true;
  }

  @Override
  public Plan plan() {
    return prepared.asTold();
  }

  @Override
  public void record(Outcome outcome) {
    messages.record();
    Observation.record(event, channel, prepared.asPlanned(), true, outcome);
  }

  @Override
  public Outcome outcome() {
    if (!finished) {
      throw new IllegalStateException("the plan is still under way");
    }
    @Nullable Integer[] bases = new Integer[prepared.size()];
    for (int i = 0; i < messages.answered(); i++) {
      int step = prepared.stepOfAnswer(i);
      if (step != PreparedPlan.BARRIER && step < taken) {
        bases[step] = (int) (messages.answer(i) >>> 32);
      }
    }
    return new Outcome(
        taken, Arrays.asList(bases), messages.messages(), 1, startNanos, endNanos, failure);
  }
}
