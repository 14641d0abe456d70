package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A plan on one vhost-user connection. All steps go out one behind the other; answers that were
 * asked for are matched with their steps as they come, in order. At the end stands a barrier: a
 * request whose answer can only come after everything before it was handled. An acknowledgement of
 * the last SET_STATUS would be none, because DPDK sends it before it does the work.
 */
final class VhostUserExecution extends ChannelExecution {
  private static final int BARRIER = -1;

  private final Plan plan;
  private final List<PlannedStep> steps;
  private final Deadline deadline;
  private final StoppedRings rings;

  /** The steps whose answers are still to come, oldest first: a ring buffer of step indexes. */
  private final int[] pending;

  private int pendingHead;
  private int pendingCount;
  private final @Nullable Integer[] bases;
  private int next;
  private int told;
  private int taken;
  private boolean barrierSent;
  private boolean sentSinceWait;
  private long messagesBefore;
  private int waits;
  private @Nullable InflightRegion inflight;

  VhostUserExecution(VhostUserChannel channel, Plan plan, Deadline deadline, StoppedRings rings) {
    super(channel);
    this.rings = rings;
    this.plan = plan;
    this.steps = plan.steps();
    this.deadline = deadline;
    this.pending = new int[steps.size() + 1];
    this.bases = new Integer[steps.size()];
  }

  @Override
  public boolean advance(boolean readable) {
    if (isFinished()) {
      return true;
    }
    try {
      if (!isBegun()) {
        messagesBefore = channel().messagesSent();
        begins();
      }
      if (readable) {
        receive();
      }
      send();
      if (pendingCount == 0 && next == steps.size()) {
        finish();
      } else if (sentSinceWait) {
        sentSinceWait = false;
        waits++;
      }
    } catch (VhostException e) {
      takeWhatWasSaid();
      abandon(e);
    }
    return isFinished();
  }

  /**
   * A back end that refuses and then hangs up has said why: that is worth more than the hang-up.
   */
  private void takeWhatWasSaid() {
    try {
      receive();
    } catch (VhostException e) {
      // The connection is over, which is known.
    }
  }

  private void send() {
    while (failure() == null && next < steps.size() && !blocked(steps.get(next))) {
      PlannedStep planned = steps.get(next);
      if (planned.step() instanceof Step.ReturnInflight && inflight == null) {
        next++; // the back end has none to share
        continue;
      }
      Integer base = stoppedAt(planned.step());
      if (base == null && goesOnWhereItStopped(planned.step())) {
        fails(refused(planned, "did not say where the ring stopped"));
        break;
      }
      told = next + 1;
      StepMessage message =
          StepMessage.of(planned.step(), base, inflight, plan.capabilities().usesGuestAddresses());
      boolean explicitAnswer =
          message.request().explicitReply(channel().protocolFeatures()).isPresent();
      boolean asks = planned.answer() != Answer.NONE && !explicitAnswer;
      channel().send(message.request(), message.payload(), message.descriptors(), asks, deadline);
      if (asks || explicitAnswer) {
        expect(next);
      }
      if (goesOnWhereItStopped(planned.step())) {
        bases[next] = base;
      }
      next++;
      sentSinceWait = true;
    }
    if (failure() == null && next == steps.size() && !barrierSent && needsBarrier()) {
      barrierSent = true;
      channel().send(PreparedPlan.barrier(plan), NoPayload.INSTANCE, List.of(), false, deadline);
      expect(BARRIER);
      sentSinceWait = true;
    }
    channel().flush(deadline);
    if (failure() != null) {
      next = steps.size(); // nothing more is told after a refusal; answers under way are taken
    }
  }

  /** Whether a step has to wait for an answer to an earlier one. */
  private boolean blocked(PlannedStep planned) {
    if (pendingCount == 0) {
      return false;
    }
    int newest = pending[(pendingHead + pendingCount - 1) % pending.length];
    // An explicit early set-up is only ended once everything in it is known to be taken: a back
    // end would commit half an image to its hardware otherwise.
    return steps.get(newest).answer() == Answer.AWAITED
        || planned.step() instanceof Step.EndPresetup
        || goesOnWhereItStopped(planned.step());
  }

  private static boolean goesOnWhereItStopped(Step step) {
    return step instanceof Step.ResumeRing;
  }

  /**
   * A device that stops needs none: the answers with its bases are what was waited for, and whether
   * the reset behind them has been done is nothing to keep a guest waiting for.
   */
  private boolean needsBarrier() {
    return !steps.isEmpty() && !plan.lifecycle().isStopped();
  }

  private void expect(int step) {
    pending[(pendingHead + pendingCount) % pending.length] = step;
    pendingCount++;
  }

  private void receive() {
    while (pendingCount > 0 && channel().receiveAvailable()) {
      Reply reply = channel().awaitReply(deadline);
      int step = pending[pendingHead];
      pendingHead = (pendingHead + 1) % pending.length;
      pendingCount--;
      if (failure() == null
          && step != BARRIER
          && steps.get(step).step() instanceof Step.GetInflight asked) {
        takeInflight(step, asked, reply);
        continue;
      }
      reply.descriptors().forEach(OwnedDescriptor::close);
      if (failure() != null) {
        continue;
      }
      if (step == BARRIER) {
        if (reply.payload() instanceof U64(long status)) {
          fails(Answers.checkBarrier(channel().name(), plan, status));
        }
        taken = steps.size();
      } else if (check(step, reply.payload())) {
        taken = step + 1;
      }
    }
  }

  /** A region of no bytes says that the back end has none to share. */
  private void takeInflight(int index, Step.GetInflight asked, Reply reply) {
    List<OwnedDescriptor> files = reply.descriptors();
    boolean region =
        reply.payload() instanceof Inflight layout
            && layout.mmapSize() > 0
            && layout.mmapOffset() >= 0
            && layout.queues() >= asked.queues()
            && layout.queueSize() >= asked.queueSize();
    if (region && files.size() == 1) {
      inflight = new InflightRegion(files.getFirst(), (Inflight) reply.payload());
      taken = index + 1;
      return;
    }
    files.forEach(OwnedDescriptor::close);
    if (reply.payload() instanceof Inflight layout && layout.mmapSize() == 0 && files.isEmpty()) {
      taken = index + 1;
    } else {
      fails(
          refused(
              steps.get(index),
              "answered %s with %d descriptors".formatted(reply.payload(), files.size())));
    }
  }

  private boolean check(int index, Payload answer) {
    PlannedStep planned = steps.get(index);
    switch (planned.step()) {
      case Step.StopRing(int ring) -> {
        if (!(answer instanceof VringState(int index2, int base)) || index2 != ring) {
          fails(refused(planned, "answered " + answer));
          return false;
        }
        bases[index] = base;
      }
      case Step.ReadStatus(int required) -> {
        if (answer instanceof U64(long status) && (status & required) != required) {
          fails(refused(planned, "status is " + DeviceStatus.describe((int) status)));
          return false;
        }
      }
      case Step.Set<?> s when s.fact() == Fact.LOG -> {
        // Always answered with LOG_SHMFD, and the answer's body differs from back end to back end.
      }
      default -> {
        if (answer instanceof U64(long result) && result != 0) {
          fails(refused(planned, "answered " + result));
          return false;
        }
      }
    }
    return true;
  }

  private BackEndRefusedException refused(PlannedStep planned, String how) {
    return Answers.refused(channel().name(), planned, how);
  }

  /** Where a ring goes on that an earlier step of this plan has stopped; null: nowhere known. */
  private @Nullable Integer stoppedAt(Step step) {
    if (!(step instanceof Step.ResumeRing(int ring))) {
      return null;
    }
    for (int i = 0; i < next; i++) {
      if (steps.get(i).step() instanceof Step.StopRing(int stopped) && stopped == ring) {
        Integer answered = bases[i];
        return answered == null ? null : rings.goesOnAt(ring, answered);
      }
    }
    return null;
  }

  private void finish() {
    if (failure() == null) {
      told = steps.size();
      taken = steps.size();
    }
    ends();
  }

  @Override
  public Plan plan() {
    return plan;
  }

  @Override
  Plan asPlanned() {
    return plan;
  }

  @Override
  public void record(Outcome outcome) {
    record(plan, false, outcome);
  }

  @Override
  Outcome whatBecameOfIt() {
    int messages = isBegun() ? (int) (channel().messagesSent() - messagesBefore) : 0;
    return new Outcome(
        told,
        taken,
        Arrays.asList(bases.clone()),
        inflight,
        List.of(),
        messages,
        waits,
        startNanos(),
        endNanos(),
        failure());
  }
}
