package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import org.jspecify.annotations.Nullable;

/**
 * A plan on one vhost-user connection: its times, its end, and what to poll meanwhile. What is told
 * and how answers are understood is its kinds' matter: {@link VhostUserExecution} makes messages as
 * it goes, {@link PreparedExecution} has them.
 */
abstract class ChannelExecution implements Execution {
  private final VhostUserChannel channel;
  private final @Nullable PlanEvent event;
  private boolean begun;
  private boolean finished;
  private long startNanos;
  private long endNanos;
  private @Nullable VhostException failure;

  /** Whose doorbell pages go before a ring stops; null: nobody's. */
  private @Nullable DeviceConnection doorbells;

  ChannelExecution(VhostUserChannel channel) {
    this.channel = channel;
    this.event = Observation.ofPlan(channel);
  }

  /** The plan as it was made. Makes no object. */
  abstract Plan asPlanned();

  /**
   * Has the pages of rings that are about to stop withdrawn (vhost-user, "Host notifier"), once
   * anything is told: a plan that is given up before that leaves a device that is served as it was.
   */
  final void withdrawsDoorbellsOf(DeviceConnection connection) {
    doorbells = connection;
  }

  final VhostUserChannel channel() {
    return channel;
  }

  /** Whether anything of it was told. */
  final boolean isBegun() {
    return begun;
  }

  final boolean isFinished() {
    return finished;
  }

  final long startNanos() {
    return startNanos;
  }

  final long endNanos() {
    return endNanos;
  }

  /** Its time begins. */
  final void begins() {
    begun = true;
    startNanos = System.nanoTime();
    if (event != null) {
      event.begin();
    }
    if (doorbells != null) {
      doorbells.dropDoorbells(asPlanned());
    }
  }

  /** Its time is over. */
  final void ends() {
    endNanos = System.nanoTime();
    if (!begun) {
      startNanos = endNanos; // nothing of it was told
    }
    if (event != null) {
      event.end();
    }
    finished = true;
  }

  /** It has failed, for a reason that may still be replaced; null: it has not, after all. */
  final void fails(@Nullable VhostException why) {
    failure = why;
  }

  /** As if nothing of it had been told; its answers have all come. */
  void rewind() {
    begun = false;
    finished = false;
    failure = null;
  }

  @Override
  public final @Nullable VhostException failure() {
    return failure;
  }

  @Override
  public final void abandon(VhostException reason) {
    if (!finished) {
      failure = failure == null ? reason : failure;
      ends();
    }
  }

  @Override
  public final int number() {
    return channel.number();
  }

  @Override
  public final int backEndNumber() {
    return channel.backEndNumber();
  }

  @Override
  public final void serveBackEnd() {
    channel.serveBackEnd();
  }

  @Override
  public final long nanosToDeadline(long now) {
    return channel.nanosToDeadline(now);
  }

  @Override
  public final Outcome outcome() {
    if (!finished) {
      throw new IllegalStateException("the plan is still under way");
    }
    return whatBecameOfIt();
  }

  /** The outcome, of one that is finished. */
  abstract Outcome whatBecameOfIt();

  /**
   * Writes to a flight recording what became of it.
   *
   * @param plan as it was planned
   * @param prepared whether it was made ahead of time
   */
  final void record(Plan plan, boolean prepared, Outcome outcome) {
    Observation.record(event, channel, plan, prepared, outcome);
  }
}
