package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Takes the devices of a VM through one transition: a start, a stop or presetup. Each device is
 * begun and finished under its own lock, and is held in between: other threads that use it wait.
 *
 * <pre>
 *   new           epoll watches the connections
 *   carryOut      begins each device, all or none; then sends everything and reads answers
 *   takeOutcome   the outcome goes into shadow and model; the device is still held
 *   letGo         threads that wait for the device go on
 *   finish        both
 *   close         the same for the devices that are left; what was not carried out is given up
 * </pre>
 *
 * <p>For one thread.
 */
final class GroupTransition implements AutoCloseable {
  private final List<VhostNet> nets;
  private final boolean sideBySide;
  private final Deadline deadline;
  private final Flights flights;

  /** The connections that epoll watches already. */
  private final @Nullable Carrier[] watched;

  /** By device: what was begun, until the device is let go. */
  private final @Nullable Execution[] executions;

  private final @Nullable Outcome[] outcomes;
  private boolean begun;

  /** Whether every execution is finished. */
  private boolean over;

  /** Begins the plan of one device. */
  interface Beginning {
    /**
     * Plans and begins.
     *
     * @param device its index in the list
     * @return null if the device takes no part in the transition
     */
    @Nullable Execution of(VhostNetMigration net, int device);
  }

  /**
   * Makes a transition of these devices.
   *
   * @param nets one or more, each once
   * @param sideBySide whether all are sent their plans before the first answer is waited for
   * @param deadline for all of them; restarted by {@link #carryOut}
   */
  GroupTransition(List<VhostNet> nets, boolean sideBySide, Deadline deadline) {
    this.nets = List.copyOf(nets);
    this.sideBySide = sideBySide;
    this.deadline = deadline;
    this.executions = new Execution[nets.size()];
    this.outcomes = new Outcome[nets.size()];
    this.watched = new Carrier[nets.size()];
    this.flights = new Flights(nets.size());
    try {
      for (int i = 0; i < watched.length && sideBySide; i++) {
        Carrier carrier = nets.get(i).migration().connection();
        if (carrier != null && carrier.number() >= 0) {
          flights.watchAhead(i, carrier.number(), carrier.backEndNumber());
          watched[i] = carrier;
        }
      }
    } catch (RuntimeException e) {
      flights.close();
      throw e;
    }
  }

  /**
   * The deadline of a transition of many devices: the longest of their own. Each device keeps its
   * own too.
   *
   * @param devices one or more
   * @param bound the deadline of a device
   */
  static <D> Deadline longestDeadline(List<D> devices, Function<D, Deadline> bound) {
    Deadline longest = bound.apply(devices.getFirst());
    for (D device : devices) {
      Deadline own = bound.apply(device);
      longest = own.allowed().compareTo(longest.allowed()) > 0 ? own : longest;
    }
    return longest;
  }

  /** The deadline of transitions of these devices. */
  static Deadline longestDeadline(List<VhostNet> nets) {
    return longestDeadline(nets, VhostNet::transitionDeadline);
  }

  /**
   * Begins one device after the other, and returns when each plan is finished, or has been
   * abandoned because the time is up.
   *
   * @param beginning of each device
   * @param cancelled called every 10 ms: whether to abandon what is left; null: never
   * @throws IllegalStateException if it was called before
   */
  void carryOut(Beginning beginning, @Nullable BooleanSupplier cancelled) {
    if (begun) {
      throw new IllegalStateException("devices go through a transition once");
    }
    begun = true;
    deadline.restart();
    for (int i = 0; i < executions.length; i++) {
      VhostNetMigration net = nets.get(i).migration();
      Execution execution = beginning.of(net, i);
      executions[i] = execution;
      if (execution != null && !sideBySide) {
        Flights.run(List.of(execution), nets.get(i).transitionDeadline());
      } else if (execution != null) {
        flights.take(i, execution);
        if (!Objects.equals(net.connection(), watched[i])) {
          flights.watchAnew(i);
        }
      }
    }
    if (sideBySide) {
      flights.run(deadline, cancelled);
    }
    over = true;
  }

  /** How many devices. */
  int size() {
    return executions.length;
  }

  VhostNet net(int device) {
    return nets.get(device);
  }

  /** The execution of a device that is still held; null if there is none. */
  @Nullable Execution execution(int device) {
    return executions[device];
  }

  /** The outcome of a device; null if nothing was begun, or before {@link #takeOutcome}. */
  @Nullable Outcome outcome(int device) {
    return outcomes[device];
  }

  /** Puts the outcome of a device into its shadow and model, once. It is held until letGo. */
  void takeOutcome(int device) {
    Execution execution = executions[device];
    if (execution != null && outcomes[device] == null) {
      if (!over) {
        execution.abandon(new VhostException("it was given up", Recovery.RECONNECT));
      }
      outcomes[device] = nets.get(device).migration().takeOutcome(execution);
    }
  }

  /** Releases the device, so that other threads can use it. */
  void letGo(int device) {
    if (executions[device] != null) {
      executions[device] = null;
      nets.get(device).migration().letGo();
    }
  }

  /** Puts the outcome of a device into its shadow and model, and releases it. */
  void finish(int device) {
    try {
      takeOutcome(device);
    } finally {
      letGo(device);
    }
  }

  /**
   * Gives up all devices, because one could not begin. No device is sent half of its plan.
   *
   * @param why the first failure of all of them
   */
  void giveUp(VhostException why) {
    for (Execution execution : executions) {
      if (execution != null) {
        execution.abandon(why);
      }
    }
    finishAll();
  }

  /** Finishes each device that is still held. A failure of one does not stop the others. */
  private void finishAll() {
    RuntimeException failure = null;
    for (int i = 0; i < executions.length; i++) {
      try {
        finish(i);
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Finishes the devices that are left, and frees its resources. A second call does nothing. */
  @Override
  public void close() {
    try {
      finishAll();
    } finally {
      flights.close();
    }
  }
}
