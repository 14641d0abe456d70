package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingConfig;
import org.jspecify.annotations.Nullable;

/** Test aid: a model of a back end that is brought from one configuration to the next. */
interface ModelledBackEnd {
  BackEndCapabilities capabilities();

  /** The used index in guest memory is this now. */
  void usedInMemory(int ring, int index);

  /** Where a ring stopped last; null: it never did. */
  @Nullable Integer stoppedAt(int ring);

  /** Whether the rings of the last configuration are packed. */
  boolean packed();

  /** Whether it serves no legacy driver. */
  default boolean isModern() {
    return false;
  }

  /** Whether a ring runs now, and the driver has not set it up anew. */
  boolean wouldGoOn(int ring, RingConfig wanted, long features);

  /** Plans, and tells the model step by step. */
  Plan reach(DeviceConfig desired);

  /** Compares the model with what is desired, after {@link #reach}. */
  void check(DeviceConfig desired, Plan plan, String story);
}
