package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndGoneException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Stops the devices of a VM side by side, at the source of a migration: {@link StopWindow}'s other
 * end, and made ahead of time like it. Between {@link #stop} and its return no object is made for a
 * device that is as it was when this was made.
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
  private final List<VhostNet> nets;
  private final StartOrder order;
  private final @Nullable Execution[] executions;
  private final @Nullable Outcome[] outcomes;

  private final SideBySide sideBySide;
  private final Deadline deadline;
  private boolean stopped;

  /**
   * For devices that run.
   *
   * @param nets one or more, each once
   * @param order the planner's, or the baseline, in which each base is waited for
   */
  public DeviceStop(List<VhostNet> nets, StartOrder order) {
    this.nets = List.copyOf(nets);
    this.order = order;
    this.executions = new Execution[nets.size()];
    this.outcomes = new Outcome[nets.size()];
    this.deadline = SideBySide.longestDeadline(this.nets, VhostNet::transitionDeadline);
    if (order == StartOrder.PLANNED) {
      this.nets.forEach(net -> net.migration().prepareStop());
    }
    this.sideBySide = new SideBySide(nets.size());
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
    if (stopped) {
      throw new IllegalStateException("devices are stopped once");
    }
    stopped = true;
    deadline.restart();
    try {
      for (int i = 0; i < executions.length; i++) {
        begin(i, nets.get(i));
      }
    } catch (VhostException e) {
      // One that cannot even begin keeps the others from being told half of theirs.
      for (Execution begun : executions) {
        if (begun != null) {
          begun.abandon(e);
        }
      }
      throw e;
    }
    if (order == StartOrder.PLANNED) {
      sideBySide.run(deadline, null);
    }
    takeBases();
  }

  /** What was begun is to be finished, whatever fails behind that. */
  private void begin(int index, VhostNet net) {
    if (order == StartOrder.QEMU) {
      // As the baseline does: each only when the one before is done.
      Execution execution = net.migration().beginStop(order);
      executions[index] = execution;
      SideBySide.run(List.of(execution), net.transitionDeadline());
      return;
    }
    Execution execution = net.migration().beginStop(order);
    executions[index] = execution;
    sideBySide.take(index, execution);
  }

  private void takeBases() {
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      if (execution != null) {
        outcomes[i] = nets.get(i).migration().fold(execution);
      }
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
    for (int i = 0; i < outcomes.length; i++) {
      Outcome outcome = outcomes[i];
      VhostException failure = outcome == null ? null : outcome.failure();
      // Where nothing was told there was no connection: how that one ended counts, see below.
      if (failure != null
          && outcome.stepsTold() > 0
          && !(failure instanceof BackEndGoneException)) {
        throw NetConnection.mayStillWrite(nets.get(i).name(), failure);
      }
      nets.get(i).migration().requireNoneLeftServing();
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
    for (int i = 0; i < nets.size(); i++) { // without an iterator: a guest is stopped
      nets.get(i).migration().requireRingPositions();
    }
  }

  /**
   * {@return what was answered, one outcome a device, in order; devices whose stop was not begun
   * are left out} The devices can be used again.
   */
  public List<Outcome> outcomes() {
    List<Outcome> all = new ArrayList<>(outcomes.length);
    for (int i = 0; i < outcomes.length; i++) {
      Execution execution = executions[i];
      Outcome outcome = outcomes[i];
      if (execution != null) {
        executions[i] = null;
        if (outcome != null) {
          nets.get(i).migration().letGo();
        } else {
          execution.abandon(new VhostException("the stop was given up", Recovery.RECONNECT));
          outcome = nets.get(i).migration().finish(execution);
          outcomes[i] = outcome;
        }
      }
      if (outcome != null) {
        all.add(outcome);
      }
    }
    return all;
  }

  /** Frees what it waits with, and takes {@link #outcomes} up if nobody has asked for them. */
  @Override
  public void close() {
    try {
      outcomes();
    } finally {
      sideBySide.close();
    }
  }
}
