package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;

/**
 * Is called with the transitions of devices, for an embedder's metrics. Set it with {@link
 * VhostDeviceOptions#withObserver}. (A {@code MigrationListener} is called with the phases of a
 * migration, and {@link BackEndEvents} with the requests of a back end.)
 *
 * <p>The thread that used the device calls it when it has released the device's lock, in order with
 * the model's listeners ({@link VhostNet}). So an implementation may call the device, and may take
 * a lock that another thread holds while it calls the device. It returns soon, because the caller
 * waits for it. For a successful stop window on the destination it is called after the guest was
 * resumed, for the stop on the source after the hand-over. An exception is logged and ignored. One
 * observer may be set for many devices; then it is called for them at the same time.
 *
 * <p>A {@link VhostDevice} without a {@link VhostNet} has no lock and calls it at once.
 */
public interface Observer {
  /** An implementation that does nothing. */
  Observer NONE = new Observer() {};

  /**
   * A plan has ended, completed or not.
   *
   * @param device its name
   * @param plan as it was sent
   * @param outcome its result; {@link Outcome#failure} says what went wrong
   */
  default void planFinished(String device, Plan plan, Outcome outcome) {}

  /**
   * The device goes on in another way than was asked for: without presetup, or started once more
   * from nothing.
   *
   * @param device its name
   * @param why in words
   */
  default void fallback(String device, String why) {}

  /**
   * The connection to the back end is lost. A {@link BackEndWatch}, if there is one, tries to make
   * another one.
   *
   * @param device its name
   * @param why how the loss was noticed
   */
  default void lost(String device, VhostException why) {}

  /**
   * There is a connection again, in place of one that was lost or could not be used any more.
   *
   * @param device its name
   * @param attempts that it took, 1 or more
   */
  default void reconnected(String device, int attempts) {}
}
