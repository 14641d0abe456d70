package io.github.jvhost.vhost;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.ArrayList;
import java.util.List;

/**
 * Stops the devices of a VM side by side, at the source of a migration: {@link DeviceStart}'s other
 * end. The stop of each device is planned and encoded when this is made; it is sent as it is if the
 * device has not changed since.
 *
 * <pre>
 *   new          guest runs
 *   stop         guest stopped: every GET_VRING_BASE out, one wait, where rings stopped into the models
 *   (final state and hand-over)
 *   outcomes     what was answered, for reports; the devices can be used again
 * </pre>
 *
 * <p>For one thread. Until {@link #outcomes} or {@link #close} whoever else wants one of the
 * devices waits.
 */
public final class DeviceStop implements AutoCloseable {
  private final StartOrder order;
  private final Transition transition;

  /**
   * For devices that run.
   *
   * @param nets one or more, each once
   * @param order the planner's, or one to compare it with
   */
  public DeviceStop(List<VhostNet> nets, StartOrder order) {
    this.order = order;
    if (order.sideBySide()) {
      nets.forEach(net -> net.migration().prepareStop());
    }
    this.transition = new Transition(nets, order.sideBySide(), Transition.longestDeadline(nets));
  }

  /**
   * Stops the devices; where their rings stopped is in their models then, also of those that did
   * not answer, as far as guest memory says it. What failed is in the {@link #outcomes}, and not
   * thrown.
   *
   * @throws VhostException a device is kept by somebody else; the others' plans are given up
   * @throws IllegalStateException it was called before
   */
  public void stop() {
    try {
      transition.carryOut((net, _) -> net.beginStop(order), null);
    } catch (VhostException e) {
      transition.giveUp(e);
      throw e;
    }
    for (int i = 0; i < transition.size(); i++) {
      transition.fold(i);
    }
  }

  /**
   * Makes sure that no back end can write to guest memory any more. One that has answered has
   * stopped, and one that has hung up is taken to be gone. One that neither answers in time nor
   * hangs up, or answers nonsense, may go on for as long as it likes, although its connection was
   * closed: at this stop, or before it, when a driver reset its device or a link was pulled.
   *
   * @throws VhostException (RECONNECT) there is such a back end; guest memory must not be handed
   *     over then
   */
  public void requireStopped() {
    for (int i = 0; i < transition.size(); i++) {
      Outcome outcome = transition.outcome(i);
      VhostException failure = outcome == null ? null : outcome.failure();
      // Where nothing was told there was no connection: how that one ended counts, see below.
      if (outcome != null
          && failure != null
          && outcome.stepsTold() > 0
          && !(failure instanceof BackEndGoneException)) {
        throw NetConnection.mayStillWrite(transition.net(i).name(), failure);
      }
      transition.net(i).migration().requireNoneLeftServing();
    }
  }

  /**
   * Makes sure that the models say where every ring goes on. Where a back end did not, that is read
   * from what it left behind in guest memory or its in-flight region.
   *
   * @throws VhostException (GIVE_UP) of a packed ring that is known to nobody: to go on at a guess
   *     would let a back end write into memory that the guest uses for something else
   */
  public void requirePositions() {
    for (int i = 0; i < transition.size(); i++) {
      transition.net(i).migration().requireRingPositions();
    }
  }

  /**
   * {@return what was answered, one outcome a device, in order; devices whose stop was not begun
   * are left out} The devices can be used again.
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

  /**
   * Frees what it waits with, and lets the devices go if nobody has asked for {@link #outcomes}.
   */
  @Override
  public void close() {
    transition.close();
  }
}
