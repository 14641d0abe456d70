package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device at one back end, whatever kind of device it is: the connection, what was negotiated on
 * it, and the shadow of what the back end holds. {@link VhostNet} is one with a model of a network
 * device. Whoever has another device, or makes the desired configuration from something else, plans
 * and executes here.
 *
 * <p>A new back end is connected to with a new object. Not thread-safe, but any thread may call
 * {@link #capabilities} and {@link #shadow}.
 */
public final class VhostDevice implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostDevice.class);

  private final VhostDeviceOptions options;
  private final Supplier<Carrier> carriers;
  private final Supplier<List<Step.Translate>> sentBesides;
  private final Observation observation;
  private @Nullable Carrier connection;

  /** The connection before, which may not be quite closed; null: it is, or there was none. */
  private volatile @Nullable Carrier closing;

  // Volatile for callers that must not wait for the thread that uses the device.
  private volatile BackEndCapabilities capabilities;
  private volatile Shadow shadow = Shadow.nothingHeld();

  private VhostDevice(
      VhostDeviceOptions options,
      Supplier<Carrier> carriers,
      Executor calls,
      Supplier<List<Step.Translate>> sentBesides) {
    this.options = options;
    this.sentBesides = sentBesides;
    this.carriers = carriers;
    this.observation = new Observation(options, calls);
    Carrier opened = carriers.get();
    this.capabilities = opened.capabilities();
    this.connection = opened;
    log.debug("{}: connected, {}", options.name(), capabilities);
  }

  /**
   * Connects and asks the back end what it can do. Nothing of a guest is sent yet. A call that the
   * back end sends as a message (INBAND_NOTIFICATIONS) is not passed on.
   *
   * @param options where the back end is, and what is used of it
   * @return the device, of which the back end holds nothing yet; the caller closes it
   * @throws VhostException if there is no such socket (RETRY), or what answers is no back end
   */
  public static VhostDevice connect(VhostDeviceOptions options) {
    return over(
        options, () -> Carriers.open(options, _ -> {}, MissHandler.NONE), Runnable::run, List::of);
  }

  /**
   * Connects over any carrier.
   *
   * @param options its address is not used
   * @param carriers makes a connection at each call, or throws
   * @param calls makes the calls of the observer, at once or later
   * @param sentBesides takes what the back end was told between plans, because it asked
   */
  static VhostDevice over(
      VhostDeviceOptions options,
      Supplier<Carrier> carriers,
      Executor calls,
      Supplier<List<Step.Translate>> sentBesides) {
    return new VhostDevice(options, carriers, calls, sentBesides);
  }

  /**
   * Closes the connection, if there is one, and makes a new one. Nothing of a guest is sent yet.
   *
   * @param why the earlier connection cannot be used any more
   * @param use is called with what the new back end can do; throws if that is too little
   * @throws VhostException if the back end is not there (RETRY), or what {@code use} throws
   */
  void reconnect(String why, Consumer<BackEndCapabilities> use) {
    ReconnectEvent attempt = observation.attempt();
    disconnect();
    try {
      take(open(), use);
    } catch (VhostException e) {
      observation.attempted(attempt, 1, why, e);
      throw e;
    }
    observation.attempted(attempt, 1, why, null);
  }

  /**
   * Goes on with a connection that an earlier process made. The back end is not asked anything.
   *
   * @param options its address is used when the device connects anew
   * @param socket of the connection, with no answer outstanding; taken over, also if this fails
   * @param capabilities what was negotiated on it
   * @param held what the back end is known to hold
   * @return the device; the caller closes it
   * @throws VhostException (GIVE_UP) if it is no connected AF_UNIX stream socket
   */
  public static VhostDevice resume(
      VhostDeviceOptions options,
      OwnedDescriptor socket,
      BackEndCapabilities capabilities,
      Shadow held) {
    VhostDevice device =
        over(
            options, () -> Carriers.resume(options, socket, capabilities), Runnable::run, List::of);
    device.shadow = held;
    return device;
  }

  /** Reports what happens to the device. */
  Observation observation() {
    return observation;
  }

  /**
   * Makes another connection, which this device does not use before {@link #take}. Waits for the
   * one before to be closed, but no longer than a connection may take.
   */
  Carrier open() {
    Carrier before = closing;
    if (before != null && before.awaitClosed(Deadline.after(options.connectWithin()))) {
      closing = null;
    }
    return carriers.get();
  }

  /**
   * Goes on with a new connection in place of the old one.
   *
   * @param use is called with what its back end can do; throws if that is too little
   * @throws VhostException what {@code use} throws; the new connection is closed then
   */
  void take(Carrier opened, Consumer<BackEndCapabilities> use) {
    BackEndCapabilities now = opened.capabilities();
    boolean enough = false;
    try {
      use.accept(now);
      enough = true;
    } finally {
      if (!enough) {
        opened.close();
      }
    }
    disconnect();
    capabilities = now;
    connection = opened;
    log.debug("{}: connected anew, {}", options.name(), now);
  }

  /** {@return the device's name} */
  public String name() {
    return options.name();
  }

  /** {@return the options that it was made with} */
  public VhostDeviceOptions options() {
    return options;
  }

  /** {@return what was negotiated on the newest connection} */
  public BackEndCapabilities capabilities() {
    return capabilities;
  }

  /** {@return what the back end is known to hold} */
  public Shadow shadow() {
    return shadow;
  }

  /** For rehearsals: the back end is taken to hold this again, whatever was sent since. */
  void rewind(Shadow held) {
    shadow = held;
  }

  /** {@return whether there is a connection on which something can still be sent} */
  public boolean connected() {
    return connection != null && connection.usable();
  }

  @Nullable Carrier connection() {
    return connection;
  }

  /**
   * {@return the descriptor that is readable when the back end has sent something or has gone; -1
   * if there is no connection} This object keeps it.
   */
  public int number() {
    return connection == null ? -1 : connection.number();
  }

  /**
   * Reads what the back end has sent without being asked, while no plan is under way.
   *
   * @param deadline for the back end to make room for what its requests ask for
   * @return why the connection is over; null if it is not
   */
  public @Nullable VhostException look(Deadline deadline) {
    return connection == null ? notConnected() : connection.look(deadline);
  }

  /**
   * Asks the back end to announce the guest's MAC address to the network. Does not wait.
   *
   * @param mac six bytes, in wire order
   * @return whether it can; otherwise nothing was sent
   * @throws VhostException (RECONNECT) if there is no connection
   */
  public boolean announce(byte[] mac) {
    return requireConnection().announce(mac);
  }

  /**
   * {@return the connection, for what is no part of a plan} The shadow does not record what is sent
   * there.
   *
   * @throws VhostException (RECONNECT) if there is none
   */
  Carrier requireConnection() {
    if (connection == null) {
      throw notConnected();
    }
    return connection;
  }

  /**
   * {@return the plan that leads the back end from what it holds to what it is to hold}
   *
   * @param desired what it is to hold
   */
  public Plan plan(DeviceConfig desired) {
    return Planner.plan(shadowNow(), desired, capabilities);
  }

  /** What the back end is known to hold, with what was sent between plans. No plan is under way. */
  Shadow shadowNow() {
    addWhatWasSent(false);
    return shadow;
  }

  private void addWhatWasSent(boolean duringPlan) {
    List<Step.Translate> sent = sentBesides.get();
    if (!shadow.holdsAll(sent)) {
      shadow = shadow.after(sent, capabilities, duringPlan);
    }
  }

  /**
   * Begins a plan that was made for this device; {@link #takeOutcome} has to follow. Nothing is
   * sent before the first {@link Execution#advance}.
   *
   * @param plan as {@link #plan} made it, with nothing sent since
   * @param deadline for all of it
   * @param rings says where a ring goes on that the plan stops and starts again
   * @return the execution; one that has failed already if there is no connection
   */
  public Execution begin(Plan plan, Deadline deadline, StoppedRings rings) {
    if (connection == null) {
      return new FailedExecution(plan, notConnected());
    }
    return connection.begin(plan, deadline, rings);
  }

  private VhostException notConnected() {
    return new VhostException(
        options.name() + ": there is no connection to the back end; connect again first",
        Recovery.RECONNECT);
  }

  /**
   * Puts the outcome of a plan into the shadow. A connection on which an answer is still expected
   * is closed, because it would be taken for the answer to a later request. A connection is closed
   * too if it is not known any more which memory slots are in use.
   *
   * @param execution of this device, finished
   * @return its outcome, which may have a failure
   */
  public Outcome takeOutcome(Execution execution) {
    Outcome outcome = execution.outcome();
    shadow = shadow.after(execution.plan(), outcome);
    addWhatWasSent(true);
    boolean slotsUnknown =
        capabilities.hasMemorySlots() && shadow.get(Fact.MEMORY) instanceof Known.Unknown;
    if (connection != null && (slotsUnknown || !connection.usable())) {
      closeConnection();
    }
    if (log.isDebugEnabled()) {
      log.debug("{}: {}", options.name(), outcome);
    }
    observation.finished(execution, outcome);
    return outcome;
  }

  /**
   * Carries out a plan of this device alone. A failure is not thrown.
   *
   * @param plan as {@link #plan} made it, with nothing sent since
   * @param deadline for all of it
   * @return its outcome, which may have a failure
   */
  public Outcome execute(Plan plan, Deadline deadline) {
    return executeAll(List.of(this), List.of(plan), deadline).getFirst();
  }

  /**
   * Carries out the plans of many devices side by side: sends all of them, then reads answers as
   * they come. A failure is not thrown, and does not stop the others.
   *
   * @param devices each once
   * @param plans one for each, in the same order, as {@link #plan} made it, with nothing sent since
   * @param deadline for all of them
   * @return their outcomes, in the same order
   */
  public static List<Outcome> executeAll(
      List<VhostDevice> devices, List<Plan> plans, Deadline deadline) {
    if (devices.size() != plans.size()) {
      throw new IllegalArgumentException(
          "%d plans for %d devices".formatted(plans.size(), devices.size()));
    }
    List<Execution> executions = new ArrayList<>(devices.size());
    for (int i = 0; i < devices.size(); i++) {
      executions.add(devices.get(i).begin(plans.get(i), deadline, StoppedRings.AS_ANSWERED));
    }
    Flights.run(executions, deadline);
    List<Outcome> outcomes = new ArrayList<>(devices.size());
    for (int i = 0; i < devices.size(); i++) {
      outcomes.add(devices.get(i).takeOutcome(executions.get(i)));
    }
    return outcomes;
  }

  /** Closes the connection; the back end forgets everything. */
  public void disconnect() {
    closeConnection();
    shadow = Shadow.nothingHeld();
  }

  private void closeConnection() {
    Carrier closed = connection;
    if (closed != null) {
      closed.close();
      closing = closed;
      connection = null;
    }
  }

  @Override
  public void close() {
    disconnect();
  }
}
