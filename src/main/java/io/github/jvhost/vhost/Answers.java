package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.virtio.DeviceStatus;
import org.jspecify.annotations.Nullable;

/** What answers to the steps of a plan mean, and how a refusal is told. */
final class Answers {
  private Answers() {}

  /**
   * The answer to the request behind the last step.
   *
   * @return null: the device is as it should be, or the barrier does not say
   */
  static @Nullable VhostException checkBarrier(String device, Plan plan, long status) {
    if (!plan.readsStatusAtEnd()) {
      return null;
    }
    boolean ready = (status & DeviceStatus.DRIVER_OK) != 0;
    boolean broken = (status & (DeviceStatus.FAILED | DeviceStatus.NEEDS_RESET)) != 0;
    return ready && !broken
        ? null
        : new BackEndRefusedException(
            "%s: the device was started, and the back end's status is %s"
                .formatted(device, DeviceStatus.describe((int) status)));
  }

  /**
   * A step that the back end did not take.
   *
   * @param how it said so: "answered 1"
   */
  static BackEndRefusedException refused(String device, PlannedStep planned, String how) {
    return new BackEndRefusedException(
        "%s: %s: the back end %s".formatted(device, planned.describe(), how));
  }
}
