package io.github.jvhost.vhost.user;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.InflightRegion;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Carries out a plan on one vhost-user connection, batch by batch. The first batch is encoded when
 * this is made, which may be long before it is sent. Each other batch is encoded when the answers
 * have come that it needs. Answers are matched with their steps in order.
 *
 * <pre>
 *   encode --&gt; send --&gt; answers of this batch --&gt; encode --&gt; send --&gt; ... --&gt; barrier --&gt; outcome
 *                              \ a refusal: no other batch is sent, the other answers are read
 * </pre>
 *
 * <p>If the socket has no room for all of a batch, the rest is sent when there is room again.
 */
public final class Flight implements Execution {
  private final VhostUserChannel channel;
  private final Plan plan;
  private final Deadline deadline;
  private final StoppedRings rings;
  private final IntConsumer stopping;
  private final boolean prepared;
  private final @Nullable PlanEvent event;

  /** By step: the base that came back, or that was sent again. */
  private final @Nullable Integer[] bases;

  /** By step: the base that is sent in place of the planned one. */
  private final @Nullable Integer[] patched;

  /** The batch that was encoded last; null: the first one could not be encoded. */
  private @Nullable Batch batch;

  /** How many of its answers have come. */
  private int answered;

  private boolean begun;
  private boolean finished;
  private int taken;

  /** How many messages of earlier batches were sent. */
  private int messages;

  private int waits;
  private long startNanos;
  private long endNanos;
  private @Nullable InflightRegion inflight;
  private @Nullable VhostException failure;

  private Flight(
      VhostUserChannel channel,
      Plan plan,
      Deadline deadline,
      StoppedRings rings,
      IntConsumer stopping,
      boolean prepared) {
    this.channel = channel;
    this.plan = plan;
    this.deadline = deadline;
    this.rings = rings;
    this.stopping = stopping;
    this.prepared = prepared;
    this.event = PlanEvent.of(channel);
    this.bases = new Integer[plan.steps().size()];
    this.patched = new Integer[plan.steps().size()];
    try {
      batch = new Batch(plan, 0, channel, this::stoppedAt, null);
    } catch (VhostException e) {
      failure = e;
    }
  }

  /**
   * Begins a plan, and encodes its first batch.
   *
   * @param channel the caller keeps it
   * @param plan made for the back end
   * @param deadline for all of it
   * @param rings says where a ring goes on that the plan stops and starts again
   * @param stopping is called with the index of each ring that is about to stop, before anything is
   *     sent
   * @return the execution, of which nothing was sent yet
   */
  public static Flight begin(
      VhostUserChannel channel,
      Plan plan,
      Deadline deadline,
      StoppedRings rings,
      IntConsumer stopping) {
    return new Flight(channel, plan, deadline, rings, stopping, false);
  }

  /**
   * The same for a plan that is sent later.
   *
   * @param channel the caller keeps it
   * @param plan made for the back end; no step of it depends on an answer
   * @param deadline for all of it; the sender restarts it
   * @param stopping is called with the index of each ring that is about to stop, before anything is
   *     sent
   * @return the execution, of which nothing was sent yet
   */
  public static Flight prepare(
      VhostUserChannel channel, Plan plan, Deadline deadline, IntConsumer stopping) {
    return new Flight(channel, plan, deadline, StoppedRings.AS_ANSWERED, stopping, true);
  }

  @Override
  public void base(int step, int base) {
    if (batch != null) {
      batch.base(step, base);
    }
    patched[step] = base;
  }

  @Override
  public boolean advance(boolean ready) {
    if (finished) {
      return true;
    }
    try {
      if (batch == null) {
        finish(); // the connection cannot carry it
      } else if (!begun) {
        start();
        send(batch, !ready);
      } else if (ready) {
        receive();
        sendRest();
      }
      while (!finished && batch != null && isSent() && answered == batch.asked().size()) {
        goOn(batch);
      }
    } catch (VhostException e) {
      readLastAnswers();
      abandon(e);
    }
    return finished;
  }

  private void start() {
    begun = true;
    startNanos = System.nanoTime();
    if (event != null) {
      event.begin();
    }
    for (PlannedStep planned : plan.steps()) {
      if (planned.step() instanceof Step.StopRing(int ring)) {
        stopping.accept(ring);
      }
    }
  }

  /** Goes on after every answer to a batch has come. */
  private void goOn(Batch done) {
    if (failure != null) {
      finish(); // nothing more is sent after a refusal
    } else if (done.isLast()) {
      taken = plan.steps().size();
      finish();
    } else {
      Batch next = new Batch(plan, done.to(), channel, this::stoppedAt, inflight);
      messages += done.messages().begun();
      batch = next;
      answered = 0;
      send(next, false);
    }
  }

  private void send(Batch next, boolean nothingHasCome) {
    channel.send(next.messages(), nothingHasCome);
    waits += next.asked().isEmpty() ? 0 : 1;
  }

  /** Sends the part for which the socket had no room. */
  private void sendRest() {
    if (!isSent()) {
      channel.sendMore(deadline);
    }
  }

  /** Whether all of the batch has left, and all that handlers of requests have sent meanwhile. */
  private boolean isSent() {
    return batch == null || (batch.messages().written() && !channel.waitsForRoom());
  }

  /** Takes the answers that are there; reads once. */
  private void receive() {
    if (channel.receiveAvailable()) {
      while (batch != null && answered < batch.asked().size() && channel.hasReply()) {
        Reply reply = channel.takeReply();
        take(batch.asked().get(answered++), reply);
      }
    }
  }

  /**
   * Reads answers that came before a failure: a back end may refuse and then hang up, and the
   * refusal says why.
   */
  private void readLastAnswers() {
    try {
      receive();
    } catch (VhostException e) {
      // The caller has the failure of this connection already.
    }
  }

  private void take(Batch.Asked asked, Reply reply) {
    boolean refused = failure != null; // then later answers are ignored
    boolean region = asked.how() == StepMessage.Answered.WITH_REGION && !refused;
    if (!region) {
      reply.descriptors().forEach(OwnedDescriptor::close);
    }
    if (refused) {
      return;
    }
    failure =
        switch (asked.how()) {
          case WITH_ZERO -> checkZero(asked.step(), reply.payload());
          case WITH_BASE -> takeBase(asked.step(), reply.payload());
          case WITH_STATUS -> checkStatus(asked.step(), reply.payload());
          case WITH_REGION -> takeRegion(asked.step(), reply);
          case NOT_CHECKED -> null;
          case BARRIER -> checkEnd(reply.payload());
        };
    if (asked.how() == StepMessage.Answered.BARRIER) {
      taken = plan.steps().size();
    } else if (failure == null) {
      taken = asked.step() + 1;
    }
  }

  private @Nullable VhostException checkZero(int step, Payload answer) {
    return answer instanceof U64(long result) && result != 0
        ? refused(step, "answered " + result)
        : null;
  }

  private @Nullable VhostException takeBase(int step, Payload answer) {
    if (plan.steps().get(step).step() instanceof Step.StopRing(int ring)
        && answer instanceof VringState(int stopped, int base)
        && stopped == ring) {
      bases[step] = base;
      return null;
    }
    return refused(step, "answered " + answer);
  }

  private @Nullable VhostException checkStatus(int step, Payload answer) {
    return plan.steps().get(step).step() instanceof Step.ReadStatus(int required)
            && answer instanceof U64(long status)
            && (status & required) != required
        ? refused(step, "status is " + DeviceStatus.describe((int) status))
        : null;
  }

  /** A region of no bytes says that the back end has none to share. */
  private @Nullable VhostException takeRegion(int step, Reply reply) {
    List<OwnedDescriptor> files = reply.descriptors();
    if (files.size() == 1
        && plan.steps().get(step).step() instanceof Step.GetInflight wanted
        && reply.payload() instanceof Inflight layout
        && layout.mmapSize() > 0
        && layout.mmapOffset() >= 0
        && layout.queues() >= wanted.queues()
        && layout.queueSize() >= wanted.queueSize()) {
      inflight = new InflightRegion(files.getFirst(), layout);
      return null;
    }
    files.forEach(OwnedDescriptor::close);
    boolean none =
        reply.payload() instanceof Inflight layout && layout.mmapSize() == 0 && files.isEmpty();
    return none
        ? null
        : refused(step, "answered %s with %d descriptors".formatted(reply.payload(), files.size()));
  }

  private @Nullable VhostException checkEnd(Payload answer) {
    if (!plan.readsStatusAtEnd() || !(answer instanceof U64(long status))) {
      return null;
    }
    boolean ready = (status & DeviceStatus.DRIVER_OK) != 0;
    boolean broken = (status & (DeviceStatus.FAILED | DeviceStatus.NEEDS_RESET)) != 0;
    return ready && !broken
        ? null
        : new BackEndRefusedException(
            "%s: the device was started, and the back end's status is %s"
                .formatted(channel.name(), DeviceStatus.describe((int) status)));
  }

  private BackEndRefusedException refused(int step, String how) {
    return new BackEndRefusedException(
        "%s: %s: the back end %s"
            .formatted(channel.name(), plan.steps().get(step).describe(), how));
  }

  /** The base at which a step starts a ring again that an earlier step of this plan has stopped. */
  private int stoppedAt(int step, int ring) {
    Step stop = new Step.StopRing(ring);
    int stopped = 0;
    while (stopped < step && !plan.steps().get(stopped).step().equals(stop)) {
      stopped++;
    }
    Integer answer = bases[stopped];
    Integer base = answer == null ? null : rings.goesOnAt(ring, answer);
    if (base == null) {
      throw refused(step, "did not say where the ring stopped");
    }
    bases[step] = base;
    return base;
  }

  private void finish() {
    endNanos = System.nanoTime();
    if (!begun) {
      startNanos = endNanos; // nothing of it was sent
    }
    if (event != null) {
      event.end();
    }
    finished = true;
  }

  @Override
  public void abandon(VhostException reason) {
    if (!finished) {
      failure = failure == null ? reason : failure;
      if (begun && batch != null) {
        channel.giveUp(batch.messages(), reason);
      }
      finish();
    }
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
  public boolean waitsForRoom() {
    return !finished && begun && channel.waitsForRoom();
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
    if (channel.poisoned()) {
      return 0; // the request of a handler has failed, and no poll may ever report that
    }
    long nanos = channel.nanosToDeadline(now);
    return isSent() ? nanos : Math.min(nanos, deadline.remainingNanos(now));
  }

  @Override
  public Plan plan() {
    return prepared ? PreparedPlan.withBases(plan, patched) : plan;
  }

  @Override
  public Outcome outcome() {
    if (!finished) {
      throw new IllegalStateException("the plan is still under way");
    }
    Batch last = begun ? batch : null; // null: nothing was sent
    return new Outcome(
        last == null ? 0 : last.stepsSent(),
        taken,
        Arrays.asList(bases.clone()),
        inflight,
        List.of(),
        last == null ? 0 : messages + last.messages().begun(),
        waits,
        startNanos,
        endNanos,
        failure);
  }

  @Override
  public void record(Outcome outcome) {
    PlanEvent recorded = event == null ? PlanEvent.of(channel) : event;
    if (recorded != null) {
      recorded.write(channel, plan, prepared, outcome);
    }
  }
}
