package io.github.jvhost.vhost;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PreparedPlan;
import io.github.jvhost.vhost.plan.Shadow;
import org.jspecify.annotations.Nullable;

/**
 * A plan that was made and encoded while its guest still runs, to be carried out once. It fits as
 * long as the back end holds the same on the same connection. That is enough for a stop, which only
 * stops rings. A {@link PreparedStart} compares more.
 */
final class PreparedTransition {
  private final Plan plan;
  private final Carrier carrier;
  private final Shadow shadow;
  private final Deadline deadline;
  private final Execution execution;
  private boolean used;

  private PreparedTransition(Plan plan, Carrier carrier, Shadow shadow, Deadline deadline) {
    this.plan = plan;
    this.carrier = carrier;
    this.shadow = shadow;
    this.deadline = deadline;
    this.execution = carrier.prepare(plan, deadline);
  }

  /**
   * Prepares a plan.
   *
   * @param planned from {@code shadow}
   * @param carrier of the device
   * @param deadline of the plan; restarted when it is carried out
   * @return null if this plan has to wait before its end
   */
  static @Nullable PreparedTransition of(
      Plan planned, Carrier carrier, Shadow shadow, Deadline deadline) {
    Plan plan = PreparedPlan.ofOrNull(planned);
    return plan == null ? null : new PreparedTransition(plan, carrier, shadow, deadline);
  }

  /** The same plan, encoded again. */
  PreparedTransition again() {
    return new PreparedTransition(plan, carrier, shadow, deadline);
  }

  /** The plan as it was prepared. */
  Plan plan() {
    return plan;
  }

  /**
   * Whether it can be carried out.
   *
   * @param held what the back end is known to hold now
   * @param connection of the device now; null: there is none
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  boolean stillFits(Shadow held, @Nullable Carrier connection) {
    return !used && connection == carrier && carrier.usable() && held == shadow;
  }

  /** Replaces the base in a step. */
  void base(int step, int base) {
    execution.base(step, base);
  }

  /** Returns what to carry out now, and restarts its deadline. */
  Execution takeExecution() {
    used = true;
    deadline.restart();
    return execution;
  }
}
