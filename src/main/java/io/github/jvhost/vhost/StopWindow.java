package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts the devices of a VM side by side, with everything made ahead of time that can be: between
 * {@link #start} and its return no object is made for a device whose start was {@linkplain
 * VhostNetMigration#prepareStart prepared} and that changed in nothing but ring indexes.
 *
 * <pre>
 *   new                    guest runs on the source
 *   start                  guest stopped: compare, patch, tell, one wait, wake the rings
 *   (the guest resumes)
 *   results                what was told, for reports; the devices can be used again
 * </pre>
 *
 * <p>For one thread. Until {@link #results} or {@link #close} whoever else wants one of the devices
 * waits.
 */
public final class StopWindow implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StopWindow.class);

  private final List<VhostNet> nets;
  private final StartOrder order;
  private final @Nullable Execution[] executions;
  private final @Nullable StartResult[] results;
  private final SideBySide sideBySide;
  private final Deadline deadline;

  /** The connections that are watched already. */
  private final @Nullable Carrier[] watched;

  private boolean begun;

  /** Whether every execution is finished. */
  private boolean told;

  /**
   * For some devices.
   *
   * @param nets one or more, each once
   * @param order the planner's, or the baseline
   */
  public StopWindow(List<VhostNet> nets, StartOrder order) {
    this.nets = List.copyOf(nets);
    this.order = order;
    this.executions = new Execution[nets.size()];
    this.results = new StartResult[nets.size()];
    this.deadline = SideBySide.longestDeadline(this.nets, VhostNet::transitionDeadline);
    this.watched = new Carrier[nets.size()];
    this.sideBySide = new SideBySide(nets.size());
    try {
      watch();
    } catch (RuntimeException e) {
      sideBySide.close();
      throw e;
    }
  }

  private void watch() {
    for (int i = 0; i < watched.length; i++) {
      Carrier channel = nets.get(i).migration().connection();
      if (order == StartOrder.PLANNED && channel != null && channel.number() >= 0) {
        sideBySide.watchAhead(i, channel.number());
        watched[i] = channel;
      }
    }
  }

  /**
   * Starts the devices, whose models and guest memory are complete, and wakes their rings. A device
   * that fails is started once more from nothing, on a new connection.
   *
   * @throws VhostException a configuration cannot be told to any back end, or the second start of a
   *     device failed, too, or one was closed meanwhile; the others run then
   * @throws IllegalStateException it was called before
   */
  public void start() {
    if (begun) {
      throw new IllegalStateException("a stop window opens once");
    }
    begun = true;
    deadline.restart();
    begin();
    if (order == StartOrder.PLANNED) {
      sideBySide.run(deadline, null);
    }
    told = true;
    boolean allWell = true;
    VhostException closed = null;
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      if (execution != null && execution.failure() != null) {
        allWell = false;
      } else {
        try {
          wake(i, nets.get(i));
        } catch (IllegalStateException e) { // the others are woken all the same
          closed = joined(closed, asFailure(e));
        }
      }
    }
    if (!allWell || closed != null) {
      startAgain(closed);
    }
  }

  private static VhostException joined(@Nullable VhostException first, VhostException next) {
    if (first == null) {
      return next;
    }
    first.addSuppressed(next);
    return first;
  }

  private void wake(int index, VhostNet net) {
    if (net.capabilities().notifiesInBand()) {
      fold(index); // its kicks are messages, for which the plan has to be over
    }
    net.signalRings();
  }

  /**
   * Those that failed, each from nothing; what becomes of one does not keep the others.
   *
   * @param before what has failed already, which is thrown at the end; null: nothing has
   */
  private void startAgain(@Nullable VhostException before) {
    VhostException thrown = before;
    for (int i = 0; i < executions.length; i++) {
      Execution execution = executions[i];
      VhostException failure = execution == null ? null : execution.failure();
      if (execution != null && failure != null) {
        executions[i] = null;
        try {
          results[i] = startAgain(nets.get(i), execution, failure);
        } catch (VhostException | IllegalStateException e) {
          thrown = joined(thrown, asFailure(e));
        }
      }
    }
    if (thrown != null) {
      throw thrown;
    }
  }

  /**
   * One that its owner has closed meanwhile cannot be started again, which is no wrong call here.
   */
  private static VhostException asFailure(RuntimeException e) {
    return e instanceof VhostException failure
        ? failure
        : new VhostException(String.valueOf(e.getMessage()), Recovery.GIVE_UP, e);
  }

  private void fold(int index) {
    Execution execution = executions[index];
    if (execution != null) {
      executions[index] = null;
      if (!told) {
        execution.abandon(new VhostException("the window was given up", Recovery.RECONNECT));
      }
      results[index] =
          new StartResult(
              execution.plan(), nets.get(index).migration().finish(execution), null, null);
    }
  }

  private void begin() {
    try {
      for (int i = 0; i < executions.length; i++) {
        Execution execution = nets.get(i).migration().beginStart(order);
        executions[i] = execution;
        if (order == StartOrder.QEMU) {
          // As the baseline does: each only when the one before is done.
          SideBySide.run(List.of(execution), nets.get(i).transitionDeadline());
        } else {
          sideBySide.take(i, execution);
          if (!Objects.equals(nets.get(i).migration().connection(), watched[i])) {
            sideBySide.watchAnew(i);
          }
        }
      }
    } catch (VhostException e) {
      // One that cannot even begin keeps the others from being told half of theirs.
      for (int i = 0; i < executions.length; i++) {
        Execution execution = executions[i];
        if (execution != null) {
          execution.abandon(e);
          nets.get(i).migration().finish(execution);
          executions[i] = null;
        }
      }
      throw e;
    }
  }

  private static StartResult startAgain(VhostNet net, Execution execution, VhostException failure) {
    Plan plan = execution.plan();
    Outcome outcome = net.migration().finish(execution);
    log.warn("{}: start failed, once more from nothing: {}", net.name(), failure.getMessage());
    String why = String.valueOf(failure.getMessage());
    net.migration().fellBack(why);
    Outcome second = net.reconnect(why).orThrow();
    return new StartResult(plan, outcome, why, second);
  }

  /**
   * {@return what became of it, one result a device, in order; a device that {@link #start} could
   * not start is left out} From here on the devices can be used again.
   */
  public List<StartResult> results() {
    List<StartResult> all = new ArrayList<>(results.length);
    for (int i = 0; i < results.length; i++) {
      fold(i);
      StartResult result = results[i];
      if (result != null) {
        all.add(result);
      }
    }
    return all;
  }

  /** Frees what it waits with, and takes {@link #results} up if nobody has asked for them. */
  @Override
  public void close() {
    try {
      results();
    } finally {
      sideBySide.close();
    }
  }
}
