package io.github.jvhost.vhost.plan;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import org.jspecify.annotations.Nullable;

/**
 * One connection to one back end, and the way in which plans reach it. vhost-user messages are one
 * carrier; the ioctls of kernel vhost and vhost-vdpa would be others. Planner, shadow and device
 * know no more of a back end than this.
 *
 * <p>What a carrier can do is in its {@link #capabilities}: which facts the back end can hold (MTU,
 * status, memory regions, in-flight region, log), whether single steps can be acknowledged, how
 * rings start. A carrier whose steps are done when they return asks for no acknowledgements and
 * needs no barrier; how it knows that a plan is done is its own business.
 *
 * <p>One thread at a time, but for {@link #isServingHere}.
 */
public interface Carrier extends AutoCloseable {
  /**
   * {@return what the back end can hold, and how it is asked} The same for the whole connection.
   */
  BackEndCapabilities capabilities();

  /**
   * Begins to carry out a plan. Nothing reaches the back end before the first {@link
   * Execution#advance}.
   *
   * @param plan made for this back end
   * @param deadline for all of it, the last answer included
   * @param rings says where a ring goes on that the plan stops and takes up again
   * @return the plan on its way
   */
  Execution begin(Plan plan, Deadline deadline, StoppedRings rings);

  /**
   * Begins a plan that may be sent much later, or never: as much as possible is done now.
   *
   * @param plan of which nothing depends on an answer; {@link Execution#base} says the bases that
   *     are different when it is sent
   * @param deadline for all of it; whoever sends it restarts it
   * @return the plan, of which nothing was sent
   */
  default Execution prepare(Plan plan, Deadline deadline) {
    return begin(plan, deadline, StoppedRings.AS_ANSWERED);
  }

  /** {@return whether the back end can still be told something} */
  boolean usable();

  /**
   * {@return the descriptor that is readable when the back end has something to say, or has gone;
   * -1: there is none, or it is closed}
   */
  int number();

  /** {@return the descriptor of the back end's own channel; -1: there is none} */
  default int backEndNumber() {
    return -1;
  }

  /**
   * Looks, without waiting, what the back end has said while it was asked nothing, and serves its
   * requests.
   *
   * @param deadline for the answers to its requests
   * @return why the connection is over; null: it is not
   */
  @Nullable VhostException look(Deadline deadline);

  /**
   * {@return whether the calling thread serves a request of the back end's at this moment} Any
   * thread may ask.
   */
  default boolean isServingHere() {
    return false;
  }

  /** The driver has reset the device: what the back end has mapped for it goes. */
  default void deviceWasReset() {}

  /** Ends the connection; the back end forgets everything. A second time does nothing. */
  @Override
  void close();
}
