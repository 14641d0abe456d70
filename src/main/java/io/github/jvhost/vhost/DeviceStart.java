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
 * Starts the devices of a VM side by side, in the stop window of a migration or before. What can be
 * made ahead of time is: the plan of a device whose start was {@linkplain
 * VhostNetMigration#prepareStart prepared} and that changed in nothing but ring indexes is only
 * compared, patched and sent.
 *
 * <pre>
 *   new                    guest runs on the source
 *   start                  guest stopped: every device is sent its plan, one wait, rings are woken
 *   (the guest resumes)
 *   results                what was sent, for reports; the devices can be used again
 * </pre>
 *
 * <p>For one thread. Until {@link #results} or {@link #close} whoever else wants one of the devices
 * waits.
 */
public final class DeviceStart implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(DeviceStart.class);

  private final StartOrder order;
  private final Transition transition;

  /** By device: the plan that was carried out first. */
  private final @Nullable Plan[] plans;

  /** By device: why it was started once more. */
  private final @Nullable String[] fallbacks;

  private final @Nullable Outcome[] second;

  /**
   * For some devices.
   *
   * @param nets one or more, each once
   * @param order the planner's, or one to compare it with
   */
  public DeviceStart(List<VhostNet> nets, StartOrder order) {
    this.order = order;
    this.transition = new Transition(nets, order.sideBySide(), Transition.longestDeadline(nets));
    this.plans = new Plan[nets.size()];
    this.fallbacks = new String[nets.size()];
    this.second = new Outcome[nets.size()];
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
    try {
      transition.carryOut((net, _) -> net.beginStart(order), null);
    } catch (VhostException e) {
      transition.giveUp(e);
      throw e;
    }
    VhostException thrown = null;
    for (int i = 0; i < transition.size(); i++) {
      if (failureOf(i) == null) {
        try {
          wake(i);
        } catch (IllegalStateException e) { // the others are woken all the same
          thrown = joined(thrown, asFailure(e));
        }
      }
    }
    for (int i = 0; i < transition.size(); i++) {
      VhostException failure = failureOf(i);
      if (failure != null) {
        try {
          startAgain(i, failure);
        } catch (VhostException | IllegalStateException e) { // nor does that keep the others
          thrown = joined(thrown, asFailure(e));
        }
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

  /**
   * One that its owner has closed meanwhile cannot be started again, which is no wrong call here.
   */
  private static VhostException asFailure(RuntimeException e) {
    return e instanceof VhostException failure
        ? failure
        : new VhostException(String.valueOf(e.getMessage()), Recovery.GIVE_UP, e);
  }

  private void wake(int device) {
    VhostNet net = transition.net(device);
    if (net.capabilities().notifiesInBand()) {
      finish(device); // its kicks are messages, for which the plan has to be over
    }
    net.signalRings();
  }

  private void finish(int device) {
    Execution execution = transition.execution(device);
    if (execution != null) {
      plans[device] = execution.plan();
      transition.finish(device);
    }
  }

  private void startAgain(int device, VhostException failure) {
    VhostNet net = transition.net(device);
    String why = String.valueOf(failure.getMessage());
    finish(device);
    log.warn("{}: start failed, once more from nothing: {}", net.name(), why);
    net.migration().fellBack(why);
    fallbacks[device] = why;
    second[device] = net.startAgain(why).orThrow();
  }

  /**
   * {@return what became of it, one result a device, in order; a device that {@link #start} could
   * not start is left out} From here on the devices can be used again.
   */
  public List<StartResult> results() {
    List<StartResult> all = new ArrayList<>(plans.length);
    for (int i = 0; i < plans.length; i++) {
      finish(i);
      Plan plan = plans[i];
      Outcome outcome = transition.outcome(i);
      boolean runs = fallbacks[i] == null || second[i] != null;
      if (plan != null && outcome != null && runs) {
        all.add(new StartResult(plan, outcome, fallbacks[i], second[i]));
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
      transition.close();
    }
  }
}
