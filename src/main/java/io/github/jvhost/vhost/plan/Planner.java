package io.github.jvhost.vhost.plan;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.DeviceStatus;
import java.util.List;
import java.util.Optional;

/**
 * Finds the steps that take a back end from what it holds to what it should hold. It sends only the
 * difference, in an order in which nothing is lost. It stops a ring that cannot take a change while
 * it runs. Pure: the same arguments give the same plan.
 *
 * <pre>
 *   stop rings that cannot take the change; SUSPEND before the first, where a device has it
 *   withdraw translations
 *   PRESETUP start
 *   MTU, log, features, status 8, commands where the back end takes them any time, memory
 *   all rings: size, byte order, call, err
 *   in-flight region
 *   translations; early only those of the rings' areas, and the others behind the kicks
 *   per ring: enable, base, address, kick
 *   PRESETUP end; or status 0xF, commands, SUSPEND, where a device is started early on stand-ins
 *   rings are served, where that is a step
 *   status 0xF or RESUME; status 0 for a device that stops
 *   commands, where a device takes them only now; then rings are served behind them, not before
 * </pre>
 *
 * <p>{@link RingStops} and {@link RingSteps} plan the steps of single rings.
 *
 * <p>Thread-safe: it keeps nothing from one plan to the next.
 */
public final class Planner {
  private final PlanDraft plan;
  private final DeviceConfig desired;
  private final BackEndCapabilities capabilities;
  private final ShadowEditor now;

  private Planner(PlanDraft plan) {
    this.plan = plan;
    this.desired = plan.desired();
    this.capabilities = plan.capabilities();
    this.now = plan.now();
  }

  /**
   * {@return the plan that leads from one to the other}
   *
   * @param shadow what the back end is known to hold
   * @param desired what it should hold
   * @param capabilities what the back end can do, and what is known of it
   * @throws VhostException (GIVE_UP) if the back end cannot hold the desired configuration: too
   *     many memory regions, memory behind the end of the dirty log, or a byte order of rings that
   *     it cannot be sent; (RECONNECT) if it is not known which memory regions it holds
   */
  public static Plan plan(Shadow shadow, DeviceConfig desired, BackEndCapabilities capabilities) {
    if (desired.lifecycle().isEarly() && desired.generation() < shadow.generation()) {
      return new Plan(
          List.of(), capabilities, desired.lifecycle(), shadow.generation(), Plan.End.NOTHING);
    }
    return new Planner(new PlanDraft(shadow, desired, capabilities)).plan();
  }

  private Plan plan() {
    if (desired.lifecycle().isStopped()) {
      stop();
    } else {
      configure();
    }
    return new Plan(plan.steps(), capabilities, desired.lifecycle(), desired.generation(), end());
  }

  private Plan.End end() {
    if (desired.lifecycle().isStopped()) {
      return Plan.End.NOTHING;
    }
    boolean driverOk =
        desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING && capabilities.hasStatus();
    return driverOk ? Plan.End.DRIVER_OK : Plan.End.BARRIER;
  }

  private void stop() {
    new RingStops(plan).stopAll();
    // Only now, because a reset may clear the indexes before they are read.
    boolean mayHaveStatus = capabilities.hasStatus() && mayHaveStatus();
    boolean anythingToReset = now.get(Fact.FEATURES).isHeld() || mayHaveStatus;
    if (desired.lifecycle() == DeviceConfig.Lifecycle.RESET
        && capabilities.hasReset()
        && anythingToReset) {
      plan.add(new Step.ResetDevice(), Answer.COLLECTED, "device", null, "reset", Why.STOP);
    } else if (mayHaveStatus) {
      status(0, Why.STOP);
    }
  }

  private void configure() {
    if (desired.ringOrder() != null && !capabilities.hasRingOrder()) {
      throw new VhostException(
          "the byte order of its rings, %s, cannot be sent: the back end has no CROSS_ENDIAN"
              .formatted(desired.ringOrder()),
          Recovery.GIVE_UP);
    }
    RingStops stops = new RingStops(plan);
    stops.stopWhatCannotChange();
    TranslationSteps translations =
        desired.translations() == null ? null : new TranslationSteps(plan, desired.translations());
    if (translations != null) {
      translations.withdraw();
    }
    List<PlannedStep> steps = plan.steps();
    boolean explicit = desired.lifecycle() == DeviceConfig.Lifecycle.PRESET_EXPLICIT;
    boolean startsEarly = explicit && capabilities.freezesRings();
    int frame = steps.size();
    device();
    for (int i = 0; i < now.ringCount(); i++) {
      stops.disableWhatIsGone(i);
    }
    RingSteps rings = new RingSteps(plan);
    rings.describe();
    inflight();
    boolean early = desired.lifecycle().isEarly();
    if (translations != null && early) {
      translations.tellRings();
    } else if (translations != null) {
      translations.tellAll();
    }
    rings.putIntoService();
    if (translations != null && early) {
      translations.tellAll();
    }
    if (startsEarly) {
      startEarly(stops);
    } else if (explicit && steps.size() > frame) {
      PlannedStep begin =
          new PlannedStep(
              new Step.BeginPresetup(), Answer.COLLECTED, "presetup", null, "start", Why.PRESETUP);
      steps.add(frame, begin);
      plan.add(new Step.EndPresetup(), Answer.COLLECTED, "presetup", null, "end", Why.PRESETUP);
    }
    boolean running = desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING;
    // A device takes commands only while it runs, and no ring of the guest is served before.
    boolean commands = running && capabilities.hasControlQueue() && !plan.commands().isEmpty();
    if (!commands) {
      rings.serve();
    }
    if (running) {
      startDevice(Why.START);
    }
    if (commands) {
      plan.sendCommands();
      rings.serve();
    }
  }

  /**
   * Lets a device do early what it does at DRIVER_OK, on its stand-ins, and suspends it. One that
   * was started early before is resumed only if there are commands for it.
   */
  private void startEarly(RingStops stops) {
    boolean startedBefore = now.get(Fact.STATUS).is(DeviceStatus.RUNNING);
    if (!startedBefore || !plan.commands().isEmpty()) {
      startDevice(Why.PRESETUP);
    }
    plan.sendCommands();
    stops.suspend(Why.PRESETUP);
  }

  /** DRIVER_OK, or RESUME for a device that has it already. */
  private void startDevice(Why why) {
    if (capabilities.hasStatus() && !now.get(Fact.STATUS).is(DeviceStatus.RUNNING)) {
      status(DeviceStatus.RUNNING, why);
    }
    Known<Boolean> suspended = now.get(Fact.SUSPENDED);
    if (!(suspended instanceof Known.NotSent) && !suspended.is(false)) {
      plan.send(Fact.SUSPENDED, Step.NO_RING, false, why);
    }
  }

  private void device() {
    plan.send(Fact.MTU, Step.NO_RING);
    // A log grows before the memory table, and shrinks after it: it always covers all memory.
    LogTarget held = now.get(Fact.LOG).orNull();
    LogTarget log = desired.log();
    if (log != null) {
      log.requireCovers(desired.memory());
    }
    boolean logShrinks = held != null && log != null && log.size() < held.size();
    if (!logShrinks) {
      plan.send(Fact.LOG, Step.NO_RING);
    }
    features();
    new MemorySteps(plan).send();
    if (logShrinks) {
      plan.send(Fact.LOG, Step.NO_RING);
    }
  }

  /**
   * Sends the in-flight region before any ring starts, because libvhost-user and DPDK read it at
   * SET_VRING_KICK. It is sent after the first message of each ring: DPDK gives the region to the
   * rings that it knows and silently skips the others, and older versions crash there. The
   * specification names no order; QEMU sends the call of each ring before it. The next back end is
   * sent the region that this one has made.
   */
  private void inflight() {
    int size = plan.largestRing();
    if (!capabilities.hasInflightRegion() || size == 0) {
      return;
    }
    int queues = desired.rings().size();
    InflightRegion kept = desired.inflight();
    if (kept != null && kept.fits(queues, size)) {
      plan.send(Fact.INFLIGHT, Step.NO_RING);
      return;
    }
    Optional<InflightRegion> held = now.get(Fact.INFLIGHT).orNull();
    if (held != null && (held.isEmpty() || held.get().fits(queues, size))) {
      return; // it has one that is large enough, or answered that it has none to share
    }
    plan.add(
        new Step.GetInflight(queues, size),
        Answer.AWAITED,
        "in-flight region",
        null,
        "for %d rings of %d".formatted(queues, size),
        Why.INFLIGHT);
    plan.add(
        new Step.ReturnInflight(),
        Answer.COLLECTED,
        "in-flight region",
        null,
        "as it came",
        Why.INFLIGHT);
  }

  private void features() {
    Long held = now.get(Fact.FEATURES).orNull();
    if (capabilities.hasStatus()
        && held != null
        && plan.featuresChangeForGood()
        && mayHaveStatus()
        && !now.mayChangeFeatures(held, desired.features())) {
      status(0, Why.RENEGOTIATE);
    }
    plan.send(Fact.FEATURES, Step.NO_RING);
    if (capabilities.hasStatus() && !surelyHasFeaturesOk() && !startsInOneGo()) {
      status(DeviceStatus.FEATURES_OK, Why.FEATURES_SETTLED);
      if (desired.lifecycle().isEarly()) {
        plan.add(
            new Step.ReadStatus(DeviceStatus.FEATURES_OK),
            Answer.COLLECTED,
            "status",
            null,
            DeviceStatus.describe(DeviceStatus.FEATURES_OK),
            Why.CHECK);
      }
    }
    plan.send(Fact.CONTROL_QUEUE, Step.NO_RING);
    if (!capabilities.hasControlQueue()) {
      plan.sendCommands();
    }
  }

  /** After a stop only DRIVER_OK has to be sent again: the features were settled before. */
  private boolean startsInOneGo() {
    return desired.lifecycle() == DeviceConfig.Lifecycle.RUNNING
        && now.get(Fact.STATUS) instanceof Known.Unknown
        && now.get(Fact.FEATURES).is(desired.features());
  }

  private boolean mayHaveStatus() {
    return !(now.get(Fact.STATUS) instanceof Known.NotSent) && !now.get(Fact.STATUS).is(0);
  }

  private boolean surelyHasFeaturesOk() {
    Integer held = now.get(Fact.STATUS).orNull();
    return held != null && (held & DeviceStatus.FEATURES_OK) != 0;
  }

  private void status(int status, Why why) {
    plan.send(Fact.STATUS, Step.NO_RING, status, why);
  }

  /**
   * {@return the features that a back end is sent: the driver's, and vhost's own}
   *
   * @param features those acknowledged by the driver that concern the back end
   * @param capabilities of the back end
   * @param logging whether dirty pages are to be logged
   */
  public static long withVhostBits(
      long features, BackEndCapabilities capabilities, boolean logging) {
    long own = capabilities.features() & VhostFeature.PROTOCOL_FEATURES;
    return features | own | (logging ? VhostFeature.LOG_ALL : 0);
  }
}
