package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import org.jspecify.annotations.Nullable;

/**
 * The result of starting one device.
 *
 * @param plan that was carried out first
 * @param outcome of it
 * @param fallback why the device had to be started a second time, from nothing; null if it had not
 * @param second outcome of that second start; null if there was none
 */
public record StartResult(
    Plan plan, Outcome outcome, @Nullable String fallback, @Nullable Outcome second) {

  /** {@return how many messages were sent, a second start's among them} */
  public int messages() {
    return outcome.messages() + (second == null ? 0 : second.messages());
  }

  /** {@return how often the back end was waited for, a second start's waits among them} */
  public int waits() {
    return outcome.waits() + (second == null ? 0 : second.waits());
  }

  /** {@return whether the device runs} */
  public boolean running() {
    return second == null ? outcome.complete() : second.complete();
  }
}
