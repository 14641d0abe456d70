package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;

/**
 * What an embedder hears of its devices' transitions, for its metrics. Given with {@link
 * VhostDeviceOptions#withObserver}. (The phases of a migration are told to its {@code
 * MigrationListener}, what a back end says by itself to {@link BackEndEvents}.)
 *
 * <p>Called on the thread that owns the device at that time, perhaps with the device's lock held:
 * an implementation returns soon and does not call the device. Of a stop window on the destination
 * that goes well it hears when the guest has been told to run; of the stop on the source, when the
 * rings of all devices have stopped. What it throws is logged and goes no further. One observer may
 * be given to many devices, and is called by as many threads as own them.
 */
public interface Observer {
  /** An implementation that does nothing. */
  Observer NONE = new Observer() {};

  /**
   * A plan was carried out, or not whole.
   *
   * @param device its name
   * @param plan as it was told
   * @param outcome what became of it; {@link Outcome#failure} says what went wrong
   */
  default void planFinished(String device, Plan plan, Outcome outcome) {}

  /**
   * The device goes on another way than was asked for: without presetup, or started once more from
   * nothing.
   *
   * @param device its name
   * @param why in words
   */
  default void fallback(String device, String why) {}

  /**
   * The connection to the back end is lost. With a {@link BackEndWatch} somebody tries to get
   * another one.
   *
   * @param device its name
   * @param why how the loss showed
   */
  default void lost(String device, VhostException why) {}

  /**
   * There is a connection again, in place of one that was lost or of no use any more.
   *
   * @param device its name
   * @param attempts that it took, 1 or more
   */
  default void reconnected(String device, int attempts) {}
}
