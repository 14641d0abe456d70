package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.Shadow;

/**
 * How devices are started in the stop window, and stopped before it: which steps a back end is
 * sent, in which order, and whether one device waits for another. The library has one order, the
 * planner's. Other orders are for comparison.
 *
 * <p>Implementations are stateless, and so thread-safe.
 */
public interface StartOrder {
  /** The planner's difference, all devices side by side, one wait each. */
  StartOrder PLANNED =
      new StartOrder() {
        @Override
        public String toString() {
          return "PLANNED";
        }
      };

  /**
   * {@return how a back end gets to a configuration in which the device runs}
   *
   * @param held what the back end is known to hold
   * @param running what it is to hold
   * @param capabilities of the back end
   */
  default Plan start(Shadow held, DeviceConfig running, BackEndCapabilities capabilities) {
    return Planner.plan(held, running, capabilities);
  }

  /**
   * {@return how a device is stopped}
   *
   * @param held what the back end is known to hold
   * @param stopped what it is to hold
   * @param capabilities of the back end
   */
  default Plan stop(Shadow held, DeviceConfig stopped, BackEndCapabilities capabilities) {
    return Planner.plan(held, stopped, capabilities);
  }

  /**
   * {@return whether all devices are sent their plans before the first answer is waited for, and
   * prepared plans are used} Otherwise one device follows the other, and each plan is made when it
   * is due.
   */
  default boolean sideBySide() {
    return true;
  }
}
