package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.StoppedRings;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device at one back end, whatever kind of device it is: the connection, what was negotiated on
 * it, and the shadow of what the back end holds. Not thread-safe, but any thread may ask for {@link
 * #capabilities} and {@link #shadow}.
 */
public final class VhostDevice implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(VhostDevice.class);

  private final VhostDeviceOptions options;
  private final Supplier<Carrier> carriers;
  private final Observation observation;
  private @Nullable Carrier connection;

  // For whoever must not wait for the thread that uses the device.
  private volatile BackEndCapabilities capabilities;
  private volatile Shadow shadow = Shadow.nothingTold();

  /** What the newest back end was told that was told anything, until another one is used. */
  private Shadow toldLast = Shadow.nothingTold();

  private VhostDevice(VhostDeviceOptions options, Supplier<Carrier> carriers) {
    this.options = options;
    this.carriers = carriers;
    this.observation = new Observation(options);
    Carrier opened = carriers.get();
    this.capabilities = opened.capabilities();
    this.connection = opened;
    log.debug("{}: connected, {}", options.name(), capabilities);
  }

  /**
   * Connects and asks the back end what it can do. Nothing is told yet that belongs to a guest.
   *
   * @param options where the back end is, and what is made use of there
   * @return the device, of which the back end knows nothing yet; the caller's to close
   * @throws VhostException there is no such socket (RETRY), or what answers is no back end
   */
  public static VhostDevice connect(VhostDeviceOptions options) {
    return connect(options, _ -> {});
  }

  /**
   * Connects, as {@link #connect(VhostDeviceOptions)} does, to a back end that may notify by
   * messages.
   *
   * @param options where the back end is, and what is made use of there
   * @param call told the index of a ring whose call comes as a message (INBAND_NOTIFICATIONS)
   * @return the device, of which the back end knows nothing yet; the caller's to close
   * @throws VhostException there is no such socket (RETRY), or what answers is no back end
   */
  public static VhostDevice connect(VhostDeviceOptions options, IntConsumer call) {
    return over(options, () -> DeviceConnection.open(options, call));
  }

  /**
   * Connects over any carrier.
   *
   * @param options where the back end is does not matter
   * @param carriers makes a connection each time it is asked, or throws why not
   */
  static VhostDevice over(VhostDeviceOptions options, Supplier<Carrier> carriers) {
    return new VhostDevice(options, carriers);
  }

  /**
   * Closes what is left of the connection and makes a new one. The back end is told nothing yet.
   *
   * @throws VhostException it is not there (RETRY), or it lacks a feature that the one before was
   *     told, or takes fewer memory regions than that one holds (RECONNECT)
   */
  public void reconnect() {
    disconnect();
    reconnect("it was asked for", this::requireWhatWasTold);
  }

  /**
   * The same.
   *
   * @param why the connection before is of no use any more
   * @param use told what the new back end can do; throws where that is too little
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

  /** Who hears what becomes of the device. */
  Observation observation() {
    return observation;
  }

  /** Another connection, of which this device knows nothing until {@link #take}. */
  Carrier open() {
    return carriers.get();
  }

  /**
   * Goes on with a new connection, in place of one that is of no use any more.
   *
   * @param use told what its back end can do; throws where that is too little
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
    toldLast = Shadow.nothingTold();
    capabilities = now;
    connection = opened;
    log.debug("{}: connected anew, {}", options.name(), now);
  }

  /** What one back end was told, the next has to understand; what it had beyond is no matter. */
  private void requireWhatWasTold(BackEndCapabilities now) {
    Long features = toldLast.get(Fact.FEATURES).orNull();
    long missing = features == null ? 0 : features & ~now.features();
    MemoryTable memory = toldLast.get(Fact.MEMORY).orNull();
    int regions = memory == null ? 0 : memory.regions().size();
    if (missing != 0 || now.maxMemoryRegions() < regions) {
      throw new VhostException(
          "%s: the back end that came back lacks what the one before was told: %s"
              .formatted(
                  options.name(),
                  missing != 0
                      ? "features 0x%x".formatted(missing)
                      : "it takes %d memory regions of %d"
                          .formatted(now.maxMemoryRegions(), regions)),
          Recovery.RECONNECT);
    }
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

  /** For rehearsals: whatever was told since, the back end is taken to hold this again. */
  void rewind(Shadow held) {
    shadow = held;
  }

  /** {@return whether there is a connection on which something can still be said} */
  public boolean connected() {
    return connection != null && connection.usable();
  }

  /**
   * {@return every vhost-user request as a method, for what is no part of a plan: configuration
   * space, state transfer, shared objects, tools} What it tells does not show in the shadow, so it
   * is not for what plans tell. Good for the connection as it is now.
   *
   * @throws VhostException (RECONNECT) there is no connection; (GIVE_UP) it does not carry
   *     vhost-user messages
   */
  public VhostUserFrontEnd frontEnd() {
    return switch (connection) {
      case null -> throw notConnected();
      case DeviceConnection vhostUser -> vhostUser.frontEnd();
      default ->
          throw new VhostException(
              options.name() + ": its connection carries no vhost-user messages", Recovery.GIVE_UP);
    };
  }

  @Nullable Carrier connection() {
    return connection;
  }

  /**
   * {@return how the back end gets from what it holds to this}
   *
   * @param desired what it is to hold
   */
  public Plan plan(DeviceConfig desired) {
    return Planner.plan(shadow, desired, capabilities);
  }

  /**
   * Begins a plan that was made for this device; {@link #finish} has to follow.
   *
   * @param rings says where a ring goes on that the plan stops and takes up again
   * @return the plan on its way; one that has failed already where there is no connection
   */
  Execution begin(Plan plan, Deadline deadline, StoppedRings rings) {
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
   * Folds what became of a plan into the shadow. A connection on which an answer is still to come
   * is closed: it would be taken for the answer to a later request. So is one of which nobody can
   * say any more which memory slots are in use.
   *
   * @param execution of this device, finished
   */
  Outcome finish(Execution execution) {
    Outcome outcome = execution.outcome();
    shadow = shadow.after(execution.plan(), outcome);
    boolean slotsUnknown =
        capabilities.hasMemorySlots() && shadow.get(Fact.MEMORY) instanceof Known.Unknown;
    if (connection != null && (slotsUnknown || !connection.usable())) {
      connection.close();
      connection = null;
    }
    if (log.isDebugEnabled()) {
      log.debug("{}: {}", options.name(), outcome);
    }
    observation.finished(execution, outcome);
    return outcome;
  }

  /**
   * Carries out a plan, alone. A failure is not thrown.
   *
   * @param plan as {@link #plan} made it, with nothing told since
   * @param deadline for all of it
   * @return what became of it, a failure included
   */
  public Outcome execute(Plan plan, Deadline deadline) {
    return executeAll(List.of(this), List.of(plan), deadline).getFirst();
  }

  /**
   * Carries out the plans of many devices side by side: all of them are told, then answers are
   * taken as they come. A failure is not thrown, and does not keep the others from finishing.
   *
   * @param devices each once
   * @param plans one for each, in the same order, as {@link #plan} made it, with nothing told since
   * @param deadline for all of them
   * @return what became of each, in the same order
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
      outcomes.add(devices.get(i).finish(executions.get(i)));
    }
    return outcomes;
  }

  /**
   * Has the back end announce a MAC address (SEND_RARP), without waiting.
   *
   * @param mac six bytes, in wire order
   * @return whether it can; otherwise nothing was sent
   */
  public boolean sendRarp(byte[] mac) {
    if (connection == null || !capabilities.has(ProtocolFeature.RARP)) {
      return false;
    }
    frontEnd().sendRarp(mac);
    return true;
  }

  /** Kicks a ring by a message (INBAND_NOTIFICATIONS); nothing where there is no connection. */
  void kickInBand(int ring) {
    if (connection != null) {
      frontEnd().vringKick(ring);
    }
  }

  /** Closes the connection; the back end forgets everything. */
  public void disconnect() {
    if (connection != null) {
      connection.close();
      connection = null;
    }
    if (shadow.get(Fact.FEATURES).isTold()) {
      toldLast = shadow;
    }
    shadow = Shadow.nothingTold();
  }

  @Override
  public void close() {
    disconnect();
  }
}
