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
 * Takes the devices of a VM through one transition: a start, a stop, a presetup. Each device is
 * begun and taken up under its own lock, and is held in between: whoever else wants it waits.
 *
 * <pre>
 *   new           epoll is told of the connections
 *   carryOut      each device begun, all or none; then everything sent, answers as they come
 *   fold          what became of it goes into shadow and model; the device is still held
 *   letGo         whoever waits for the device has its turn
 *   close         the same for whatever is left; what was not carried out is given up
 * </pre>
 *
 * <p>For one thread.
 */
final class Transition implements AutoCloseable {
  private final List<VhostNet> nets;
  private final boolean sideBySide;
  private final Deadline deadline;
  private final Flights flights;

  /** The connections that epoll knows already. */
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
     * @param device its place in the list
     * @return null: the device has no part in the transition
     */
    @Nullable Execution of(VhostNetMigration net, int device);
  }

  /**
   * For some devices.
   *
   * @param nets one or more, each once
   * @param sideBySide whether all are told before the first is waited for
   * @param deadline for all of them; restarted by {@link #carryOut}
   */
  Transition(List<VhostNet> nets, boolean sideBySide, Deadline deadline) {
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
          flights.watchAhead(i, carrier.number());
          watched[i] = carrier;
        }
      }
    } catch (RuntimeException e) {
      flights.close();
      throw e;
    }
  }

  /**
   * The bound of what devices do together: the longest of their own. Each has its own, too.
   *
   * @param devices one or more
   * @param bound of a device
   */
  static <D> Deadline longestDeadline(List<D> devices, Function<D, Deadline> bound) {
    Deadline longest = bound.apply(devices.getFirst());
    for (D device : devices) {
      Deadline own = bound.apply(device);
      longest = own.allowed().compareTo(longest.allowed()) > 0 ? own : longest;
    }
    return longest;
  }

  /** The bound of transitions of these devices. */
  static Deadline longestDeadline(List<VhostNet> nets) {
    return longestDeadline(nets, VhostNet::transitionDeadline);
  }

  /**
   * Begins one device after the other, and returns when each plan is finished, or has been
   * abandoned because the time is up.
   *
   * @param beginning of each device
   * @param cancelled looked at every 10 ms: whether to abandon what is left; null: never
   * @throws IllegalStateException it was called before
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

  /** What was begun of a device that is still held; null: nothing. */
  @Nullable Execution execution(int device) {
    return executions[device];
  }

  /** What became of a device; null: nothing was begun, or it was not asked for yet. */
  @Nullable Outcome outcome(int device) {
    return outcomes[device];
  }

  /** Takes up what became of a device, once. It is held on until {@link #letGo}. */
  void fold(int device) {
    Execution execution = executions[device];
    if (execution != null && outcomes[device] == null) {
      if (!over) {
        execution.abandon(new VhostException("it was given up", Recovery.RECONNECT));
      }
      outcomes[device] = nets.get(device).migration().fold(execution);
    }
  }

  /** Others have their turn with the device again. */
  void letGo(int device) {
    if (executions[device] != null) {
      executions[device] = null;
      nets.get(device).migration().letGo();
    }
  }

  /** Takes up what became of a device, and lets it go. */
  void finish(int device) {
    try {
      fold(device);
    } finally {
      letGo(device);
    }
  }

  /**
   * One device that cannot even begin keeps the others from being told half of theirs.
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

  /** Finishes each device that is still held; one that fails does not keep the others. */
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

  /** Frees what it waits with, and finishes what is left. A second time does nothing. */
  @Override
  public void close() {
    try {
      finishAll();
    } finally {
      flights.close();
    }
  }
}
