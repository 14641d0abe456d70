package io.github.jvhost.vhost;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Shadow;
import org.jspecify.annotations.Nullable;

/**
 * The stop of a device, planned and encoded while its guest still runs. It says nothing of the
 * rings but that they stop, so it is right for as long as the back end holds what it held then.
 */
final class PreparedStop {
  private final PreparedExecution execution;
  private final Shadow shadow;

  private PreparedStop(PreparedExecution execution, Shadow shadow) {
    this.execution = execution;
    this.shadow = shadow;
  }

  /**
   * Prepares a stop.
   *
   * @param planned from {@code shadow}
   * @param connection of the device
   * @param deadline of the stop; restarted then
   * @return null: this plan cannot be told without waiting on the way
   */
  static @Nullable PreparedStop of(
      Plan planned, DeviceConnection connection, Shadow shadow, Deadline deadline) {
    PreparedPlan plan = PreparedPlan.of(planned, connection.channel());
    if (plan == null) {
      return null;
    }
    var execution = new PreparedExecution(plan, deadline);
    execution.withdrawsDoorbellsOf(connection);
    return new PreparedStop(execution, shadow);
  }

  /**
   * What to carry out, once.
   *
   * @param held what the back end is known to hold now
   * @param connection of the device now; null: there is none
   * @return null: the device is not as it was
   */
  @SuppressWarnings("ReferenceEquality") // immutable, and compared without walking through them
  @Nullable PreparedExecution ifStillRight(Shadow held, @Nullable DeviceConnection connection) {
    return connection != null
            && execution.channel() == connection.channel()
            && !execution.channel().poisoned()
            && held == shadow
        ? execution
        : null;
  }
}
