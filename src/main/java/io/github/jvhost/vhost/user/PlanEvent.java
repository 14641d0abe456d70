package io.github.jvhost.vhost.user;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/**
 * A plan that was carried out, in a flight recording. Its duration begins when the first byte is
 * about to be sent and ends when the last answer has come, as in its {@link Outcome}. It is
 * recorded later, after a stop window.
 */
@Name("io.github.jvhost.Plan")
@Label("Plan")
@Category("jvhost")
@Description("What a back end was sent in one plan, from the first byte to the last answer")
@StackTrace(false)
final class PlanEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Lifecycle")
  @Description("Of the configuration that it leads to")
  @Nullable String lifecycle;

  @Label("Steps")
  int steps;

  @Label("Steps Taken")
  @Description("How many, from the first, the back end surely took")
  int stepsTaken;

  @Label("Messages")
  @Description("Sent, the barrier among them")
  int messages;

  @Label("Waits")
  @Description("How often the sender had to wait for the back end")
  int waits;

  @Label("Prepared")
  @Description("Planned and encoded before the stop window; otherwise when it was due")
  boolean prepared;

  @Label("Start Nanos")
  @Description("Outcome.startNanos(), of System.nanoTime()")
  long startNanos;

  @Label("End Nanos")
  @Description("Outcome.endNanos(), of System.nanoTime()")
  long endNanos;

  @Label("Failure")
  @Description("Why the plan was not completed; null: it was")
  @Nullable String failure;

  /**
   * The event of a plan on this connection; null if no recording runs. This first checks that the
   * recorder was initialized. When a JVM initializes its first event class, the recorder reads its
   * catalogue, which takes longer than many a stop window.
   */
  static @Nullable PlanEvent of(VhostUserChannel channel) {
    if (!channel.isRecorded() || !FlightRecorder.isInitialized()) {
      return null;
    }
    var event = new PlanEvent();
    return event.isEnabled() ? event : null;
  }

  /** Writes the outcome of the plan to the recording. */
  void write(VhostUserChannel channel, Plan plan, boolean madeAhead, Outcome outcome) {
    device = channel.name();
    lifecycle = plan.lifecycle().name();
    steps = plan.steps().size();
    stepsTaken = outcome.stepsTaken();
    messages = outcome.messages();
    waits = outcome.waits();
    prepared = madeAhead;
    startNanos = outcome.startNanos();
    endNanos = outcome.endNanos();
    failure = outcome.failure() == null ? null : String.valueOf(outcome.failure().getMessage());
    commit();
  }
}
