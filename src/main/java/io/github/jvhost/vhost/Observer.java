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
 * <p>The thread that owns the device at that time calls it, perhaps with the device's lock held, so
 * an implementation returns soon and does not call the device. For a successful stop window on the
 * destination it is called after the guest was resumed. For the stop on the source it is called
 * when the rings of all devices have stopped. An exception is logged and ignored. One observer may
 * be set for many devices; then the threads that own them call it at the same time.
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
