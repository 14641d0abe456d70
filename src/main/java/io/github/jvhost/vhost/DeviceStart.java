package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts the devices of a VM side by side, in the stop window of a migration or before. If the
 * start of a device was {@linkplain VhostNetMigration#prepareStart prepared} and only ring indexes
 * have changed since, its plan is only compared, patched and sent.
 *
 * <pre>
 *   new                    guest runs on the source
 *   start                  guest stopped: every device is sent its plan, one wait
 *   (the guest resumes)
 *   results                kicks and calls; what was sent, for reports; the devices can be used again
 * </pre>
 *
 * <p>For one thread. Other threads that use one of the devices wait until {@link #results} or
 * {@link #close}.
 */
public final class DeviceStart implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(DeviceStart.class);

  private final StartOrder order;
  private final GroupTransition transition;

  /** By device: the plan that was carried out first. */
  private final @Nullable Plan[] plans;

  /** By device: why it was started once more. */
  private final @Nullable String[] fallbacks;

  private final @Nullable Outcome[] second;

  /**
   * Makes a start of these devices.
   *
   * @param nets one or more, each once
   * @param order the planner's, or one to compare it with
   */
  public DeviceStart(List<VhostNet> nets, StartOrder order) {
    this.order = order;
    this.transition =
        new GroupTransition(nets, order.sideBySide(), GroupTransition.longestDeadline(nets));
    this.plans = new Plan[nets.size()];
    this.fallbacks = new String[nets.size()];
    this.second = new Outcome[nets.size()];
  }

  /**
   * Starts the devices, whose models and guest memory are complete. A device that fails is started
   * once more from nothing, on a new connection. The rings are signalled by {@link #results}, which
   * need not be called before the guest runs.
   *
   * @throws VhostException if a configuration cannot be sent to any back end, or the second start
   *     of a device failed too, or a device was closed meanwhile; the other devices run then
   * @throws IllegalStateException if it was called before
   */
  public void start() {
    try {
      transition.carryOut((net, _) -> net.beginStart(order), null);
    } catch (VhostException e) {
      transition.giveUp(e);
      throw e;
    }
    VhostException thrown = null;
    for (int i = 0; i < transition.size(); i++) {
      VhostException failure = failureOf(i);
      try {
        if (failure == null) {
          transition.net(i).requireOpen(); // its owner may have closed it meanwhile
        } else {
          startAgain(i, failure);
        }
      } catch (VhostException | IllegalStateException e) { // the other devices are started anyway
        thrown = joined(thrown, asFailure(e));
      }
    }
    if (thrown != null) {
      throw thrown;
    }
  }

  private @Nullable VhostException failureOf(int device) {
    Execution execution = transition.execution(device);
    return execution == null ? null : execution.failure();
  }

  private static VhostException joined(@Nullable VhostException first, VhostException next) {
    if (first == null) {
      return next;
    }
    first.addSuppressed(next);
    return first;
  }

  /** The owner may have closed a device meanwhile. That is a failure here, not a wrong call. */
  private static VhostException asFailure(RuntimeException e) {
    return e instanceof VhostException failure
        ? failure
        : new VhostException(String.valueOf(e.getMessage()), Recovery.GIVE_UP, e);
  }

  /** Signals the rings of each device that has started: a signal may be lost with a stop. */
  private void signalRings() {
    for (int i = 0; i < transition.size(); i++) {
      VhostNet net = transition.net(i);
      if (transition.execution(i) != null && failureOf(i) == null && plans[i] == null) {
        if (net.capabilities().notifiesInBand()) {
          endPart(i); // its kicks are messages, which need the plan to be over
        }
        try {
          net.signalRings();
        } catch (IllegalStateException e) { // the other devices are signalled anyway
          log.debug("{}: its owner has closed it meanwhile", net.name(), e);
        }
      }
    }
  }

  /** Ends the part of a device in the transition, and keeps its plan for the report. */
  private void endPart(int device) {
    Execution execution = transition.execution(device);
    if (execution != null) {
      plans[device] = execution.plan();
      transition.finish(device);
    }
  }

  private void startAgain(int device, VhostException failure) {
    VhostNet net = transition.net(device);
    String why = String.valueOf(failure.getMessage());
    endPart(device);
    log.warn("{}: start failed, once more from nothing: {}", net.name(), why);
    net.migration().fellBack(why);
    fallbacks[device] = why;
    second[device] = net.startAgain(why).orThrow();
  }

  /**
   * {@return one result a device, in order; a device that {@link #start} could not start is left
   * out} The first call signals the rings of the devices that have started. After it the devices
   * can be used again.
   */
  public List<StartResult> results() {
    signalRings();
    List<StartResult> all = new ArrayList<>(plans.length);
    for (int i = 0; i < plans.length; i++) {
      endPart(i);
      Plan plan = plans[i];
      Outcome outcome = transition.outcome(i);
      boolean runs = fallbacks[i] == null || second[i] != null;
      if (plan != null && outcome != null && runs) {
        all.add(new StartResult(plan, outcome, fallbacks[i], second[i]));
      }
    }
    return all;
  }

  /** Frees its resources. If {@link #results} was not called, this finishes the devices. */
  @Override
  public void close() {
    try {
      results();
    } finally {
      transition.close();
    }
  }
}
