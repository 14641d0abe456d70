package io.github.jvhost.vhost.plan;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One connection to one back end, and the way in which plans reach it. vhost-user messages are one
 * carrier, the ioctls of kernel vhost and vhost-vdpa are others. Planner, shadow and device know no
 * more of a back end than this.
 *
 * <p>What a carrier can do is in its {@link #capabilities}: which facts the back end can hold (MTU,
 * status, memory regions, in-flight region, log), whether single steps can be acknowledged, how
 * rings start. A carrier whose calls return only when the work is done asks for no acknowledgements
 * and needs no barrier. Each carrier decides how it knows that a plan is done.
 *
 * <p>One thread at a time, except for {@link #isServingHere}.
 */
public interface Carrier extends AutoCloseable {
  /**
   * {@return what the back end can hold, and how it is asked} This never changes during a
   * connection.
   */
  BackEndCapabilities capabilities();

  /**
   * Begins to carry out a plan. Nothing reaches the back end before the first {@link
   * Execution#advance}.
   *
   * @param plan made for this back end
   * @param deadline for all of it, the last answer included
   * @param rings says where a ring goes on that the plan stops and starts again
   * @return the execution of the plan
   */
  Execution begin(Plan plan, Deadline deadline, StoppedRings rings);

  /**
   * Begins a plan that may be sent much later, or never. As much work as possible is done now.
   *
   * @param plan no step of it depends on an answer; {@link Execution#base} replaces the bases that
   *     are different when it is sent
   * @param deadline for all of it; the sender restarts it
   * @return the execution, of which nothing was sent yet
   */
  default Execution prepare(Plan plan, Deadline deadline) {
    return begin(plan, deadline, StoppedRings.AS_ANSWERED);
  }

  /** {@return whether the back end can still be sent something} */
  boolean usable();

  /**
   * {@return the descriptor that is readable when the back end has sent something or has gone; -1
   * if there is none or it is closed}
   */
  int number();

  /** {@return the descriptor of the back end's own channel; -1 if there is none} */
  default int backEndNumber() {
    return -1;
  }

  /**
   * {@return whether to {@link #look} although neither descriptor may show a reason, or as soon as
   * {@link #number} is readable: the back end has to acknowledge what no plan waits for, or its own
   * channel has ended}
   */
  default boolean wantsLook() {
    return false;
  }

  /**
   * Reads what the back end has sent without being asked, and serves its requests. Waits only if
   * there is no room for what the requests ask for, or if the back end's own channel has ended and
   * it cannot do without one.
   *
   * @param deadline for the back end to make room
   * @return why the connection is over; null if it is not
   */
  @Nullable VhostException look(Deadline deadline);

  /**
   * {@return whether the calling thread is serving a request of the back end} Any thread may ask.
   */
  default boolean isServingHere() {
    return false;
  }

  // ---- what is no part of a plan; the shadow does not record it ----

  /**
   * Asks the back end to announce the guest's MAC address to the network. Does not wait.
   *
   * @param mac six bytes, in wire order
   * @return whether it can; otherwise nothing was sent
   */
  default boolean announce(byte[] mac) {
    return false;
  }

  /**
   * Kicks a ring by a message, where {@link BackEndCapabilities#notifiesInBand} says so.
   *
   * @param ring vring index
   */
  default void kick(int ring) {
    throw cannot("be kicked without an eventfd");
  }

  /**
   * {@return a piece of the back end's configuration space}
   *
   * @param offset where the piece begins, in bytes
   * @param size of the piece, 1 to 256 bytes
   */
  default byte[] config(int offset, int size) {
    throw cannot("show a configuration space");
  }

  /**
   * {@return an object that the back end offers to others, which the caller closes; empty: it does
   * not have it}
   *
   * @param object which one
   */
  default Optional<OwnedDescriptor> sharedObject(SharedObject object) {
    throw cannot("share objects");
  }

  /**
   * {@return the sizes of the shared memory regions into which the back end maps files, in bytes,
   * region 0 first; 0: there is no such region}
   */
  default List<Long> sharedMemory() {
    throw cannot("map files into shared memory");
  }

  /**
   * Reads the back end's own state. All rings are stopped.
   *
   * @param into gets the bytes as they come; stays open
   * @param limit the most bytes
   * @param deadline for all of it
   * @return how many bytes there were
   */
  default long saveState(WritableByteChannel into, long limit, Deadline deadline) {
    throw cannot("save a state of its own");
  }

  /**
   * Writes the back end's own state. The device has not been started.
   *
   * @param from gives the bytes, up to its end; stays open
   * @param limit the most bytes
   * @param deadline for all of it
   * @return how many bytes there were
   */
  default long loadState(ReadableByteChannel from, long limit, Deadline deadline) {
    throw cannot("load a state of its own");
  }

  private static VhostException cannot(String what) {
    return new VhostException("this kind of back end cannot " + what, Recovery.GIVE_UP);
  }

  /** The driver has reset the device: removes what the back end has mapped for it. */
  default void deviceWasReset() {}

  /** Ends the connection; the back end forgets everything. A second call does nothing. */
  @Override
  void close();

  /**
   * Waits until a closed connection is over. {@link #close} does not wait for a system call that
   * was late, and a device of the kernel cannot be opened before its file is closed.
   *
   * @param deadline for the wait
   * @return whether it is over
   */
  default boolean awaitClosed(Deadline deadline) {
    return true;
  }
}
