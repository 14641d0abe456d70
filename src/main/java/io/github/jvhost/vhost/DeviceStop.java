package io.github.jvhost.vhost;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.ArrayList;
import java.util.List;

/**
 * Stops the devices of a VM side by side, on the source of a migration. {@link DeviceStart} starts
 * them on the destination. The stop of each device is planned and encoded when this is made. It is
 * sent unchanged if the device has not changed since.
 *
 * <pre>
 *   new          guest runs
 *   stop         guest stopped: sends every GET_VRING_BASE, one wait, bases go into the models
 *   (final state and hand-over)
 *   outcomes     what was answered, for reports; the devices can be used again
 * </pre>
 *
 * <p>For one thread. Other threads that use one of the devices wait until {@link #outcomes} or
 * {@link #close}.
 */
public final class DeviceStop implements AutoCloseable {
  private final StartOrder order;
  private final GroupTransition transition;

  /**
   * Prepares the stop of devices that run.
   *
   * @param nets one or more, each once
   * @param order the planner's, or one to compare it with
   */
  public DeviceStop(List<VhostNet> nets, StartOrder order) {
    this.order = order;
    if (order.sideBySide()) {
      nets.forEach(net -> net.migration().prepareStop());
    }
    this.transition =
        new GroupTransition(nets, order.sideBySide(), GroupTransition.longestDeadline(nets));
  }

  /**
   * Stops the devices. Afterwards their models say where their rings stopped. For a back end that
   * did not answer, this is read from guest memory as far as possible. A failure is in the {@link
   * #outcomes} and is not thrown.
   *
   * @throws VhostException if another thread keeps a device; the plans of all devices are given up
   * @throws IllegalStateException if it was called before
   */
  public void stop() {
    try {
      transition.carryOut((net, _) -> net.beginStop(order), null);
    } catch (VhostException e) {
      transition.giveUp(e);
      throw e;
    }
    for (int i = 0; i < transition.size(); i++) {
      transition.takeOutcome(i);
    }
  }

  /**
   * Makes sure that no back end can write to guest memory any more. A back end that has answered
   * has stopped, and one that has hung up counts as gone. A back end that neither answers in time
   * nor hangs up, or whose answer is invalid, may go on writing, although its connection was
   * closed. That may have happened at this stop, or before it, when a driver reset its device or a
   * link was taken down.
   *
   * @throws VhostException (RECONNECT) if there is such a back end; guest memory must not be handed
   *     over then
   */
  public void requireStopped() {
    for (int i = 0; i < transition.size(); i++) {
      Outcome outcome = transition.outcome(i);
      VhostException failure = outcome == null ? null : outcome.failure();
      // If nothing was sent there was no connection: the next call checks how that one ended.
      if (outcome != null
          && failure != null
          && outcome.stepsSent() > 0
          && !(failure instanceof BackEndGoneException)) {
        throw NetConnection.mayStillWrite(transition.net(i).name(), failure);
      }
      transition.net(i).migration().requireNoneLeftServing();
    }
  }

  /**
   * Makes sure that the models say where every ring goes on. If a back end did not answer, that is
   * read from guest memory or from its in-flight region.
   *
   * @throws VhostException (GIVE_UP) if it is not known for a packed ring: with a guess, a back end
   *     could write into memory that the guest uses for something else
   */
  public void requirePositions() {
    for (int i = 0; i < transition.size(); i++) {
      transition.net(i).migration().requireRingPositions();
    }
  }

  /**
   * {@return one outcome a device, in order; devices whose stop was not begun are left out} After
   * this the devices can be used again.
   */
  public List<Outcome> outcomes() {
    List<Outcome> all = new ArrayList<>(transition.size());
    for (int i = 0; i < transition.size(); i++) {
      transition.finish(i);
      Outcome outcome = transition.outcome(i);
      if (outcome != null) {
        all.add(outcome);
      }
    }
    return all;
  }

  /** Frees its resources. If {@link #outcomes} was not called, this finishes the devices. */
  @Override
  public void close() {
    transition.close();
  }
}
