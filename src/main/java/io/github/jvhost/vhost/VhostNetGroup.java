package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transitions of a migration, for all devices of a VM side by side.
 *
 * <p>The first start and the first stop of a JVM load and interpret their code while a guest is
 * stopped: 7.5 to 11 ms were seen for what takes 0.7 ms later. A migration's destination rehearses
 * by itself if early records are sent, and {@link #presetup} rehearses a little. A program that
 * calls {@link #start} or {@link #stop} without either should call {@link #rehearse} before.
 *
 * <p>Thread-safe: each device is begun and finished under its own lock, and other threads that use
 * it wait in between.
 */
public final class VhostNetGroup {
  private static final Logger log = LoggerFactory.getLogger(VhostNetGroup.class);

  /** How much later presetup may return because it rehearses. */
  private static final Duration REHEARSAL = Duration.ofMillis(300);

  private VhostNetGroup() {}

  /**
   * A device and the early state from which it is to be preset.
   *
   * @param net the device, not running
   * @param state saved while the guest ran
   * @param generation increases with every early state of the same device
   */
  public record EarlyState(VhostNet net, VirtioNetState state, int generation) {
    /** The deadline of this device's own presetup. */
    Deadline deadline() {
      return net.migration().presetupDeadline();
    }
  }

  /**
   * Presets back ends, and then rehearses the start from these states a few times on copies of the
   * devices, so that {@link #start} does not run its code for the first time. The rehearsal takes
   * 300 ms at most: that long in a JVM that has just started, some ten milliseconds later. {@link
   * #rehearse} rehearses more. Never throws because of a back end: a device for which presetup
   * failed has a new connection on which nothing was sent, or none, and its result says why.
   *
   * <p>A device that runs already is not preset: that would stop it.
   *
   * @param mode of presetup
   * @param devices and their early states
   * @param cancelled called every 10 ms, and before each rehearsal: whether to give up, because the
   *     result is not needed any more
   * @return one result a device, in order
   */
  public static List<PresetupResult> presetup(
      PresetupMode mode, List<EarlyState> devices, BooleanSupplier cancelled) {
    List<PresetupResult> results = presetupUnrehearsed(mode, devices, cancelled);
    List<EarlyState> preset =
        IntStream.range(0, results.size())
            .filter(i -> results.get(i).done())
            .mapToObj(devices::get)
            .toList();
    GroupRehearsal.afterPresetup(mode, preset, REHEARSAL, cancelled);
    return results;
  }

  /**
   * The same without the rehearsal, for a caller that rehearses more than the start by itself, as a
   * migration's destination does.
   *
   * @param mode of presetup
   * @param devices and their early states
   * @param cancelled called every 10 ms: whether to give up, because the result is not needed any
   *     more
   * @return one result a device, in order
   */
  public static List<PresetupResult> presetupUnrehearsed(
      PresetupMode mode, List<EarlyState> devices, BooleanSupplier cancelled) {
    if (devices.isEmpty()) {
      return List.of();
    }
    List<PresetupResult> results = new ArrayList<>(devices.size());
    List<VhostNet> nets = devices.stream().map(EarlyState::net).toList();
    Deadline deadline = GroupTransition.longestDeadline(devices, EarlyState::deadline);
    try (var transition = new GroupTransition(nets, true, deadline)) {
      try {
        transition.carryOut(
            (net, i) -> {
              EarlyState early = devices.get(i);
              VhostNetMigration.EarlyBeginning beginning = begin(mode, net, early);
              results.add(begun(early.generation(), beginning));
              return beginning.execution();
            },
            cancelled);
        for (int i = 0; i < devices.size(); i++) {
          if (transition.execution(i) != null) {
            results.set(i, finishPresetup(transition, i, results.get(i)));
          }
        }
      } catch (Throwable e) { // also an Error of the caller
        giveUp(transition, e);
        throw e;
      }
    }
    return results;
  }

  private static VhostNetMigration.EarlyBeginning begin(
      PresetupMode mode, VhostNetMigration net, EarlyState early) {
    if (mode == PresetupMode.OFF) {
      return new VhostNetMigration.EarlyBeginning(null, "switched off");
    }
    VhostNetMigration.EarlyBeginning beginning =
        net.beginPresetup(mode, early.state(), early.generation(), net.presetupDeadline());
    if (beginning.execution() == null) {
      net.fellBack(beginning.why());
    }
    return beginning;
  }

  private static PresetupResult begun(int generation, VhostNetMigration.EarlyBeginning beginning) {
    Execution execution = beginning.execution();
    return execution == null
        ? PresetupResult.skipped(generation, beginning.why())
        : new PresetupResult(generation, true, null, execution.plan(), 0);
  }

  /**
   * Finishes what was begun, so that other threads can use the devices. Called when a device could
   * not begin, when the wait could not be set up, or when the caller's own code threw.
   */
  private static void giveUp(GroupTransition transition, Throwable why) {
    String note = "presetup of the devices was given up: " + why;
    for (int i = 0; i < transition.size(); i++) {
      Execution execution = transition.execution(i);
      if (execution != null) {
        execution.abandon(new VhostException(note, Recovery.RETRY, why));
        try {
          transition.finish(i);
          Outcome outcome = transition.outcome(i);
          if (outcome != null && outcome.stepsSent() > 0) {
            transition.net(i).migration().reconnectOnly(note); // half of a configuration was sent
          }
        } catch (RuntimeException e) { // the others are finished anyway
          why.addSuppressed(e);
        }
      }
    }
  }

  /**
   * Warms up the code of {@link #start} and {@link #stop}: runs both again and again, on copies of
   * these devices, with a simulated back end in this process. These devices, their back ends and
   * guest memory are not changed, and may be used meanwhile. Call it while the guest runs or
   * before; the calling thread is busy for that long.
   *
   * @param nets connected devices, with or without a driver; the first four are used
   * @param within how long all of it may take; a second is enough for a JVM that has just started
   * @return how often start and stop were run; 0: there was no time, or the devices cannot be
   *     rehearsed
   * @throws IllegalArgumentException if the time is negative, or longer than a year
   */
  public static int rehearse(List<VhostNet> nets, Duration within) {
    return GroupRehearsal.run(
        nets, GroupRehearsal.ROUNDS, within, copies -> stop(copies, StartOrder.PLANNED));
  }

  /**
   * The same for a caller that does more than {@link #stop} in its stop window, as a migration's
   * source does.
   *
   * @param nets connected devices; the first four are used
   * @param rounds at most
   * @param within how long all of it may take
   * @param stop is called once a round with the copies, which run then; stops them
   * @return how often start and stop were run
   * @throws IllegalArgumentException if the time is negative, or longer than a year
   */
  public static int rehearse(
      List<VhostNet> nets, int rounds, Duration within, Consumer<List<VhostNet>> stop) {
    return GroupRehearsal.run(nets, rounds, within, stop);
  }

  private static PresetupResult finishPresetup(
      GroupTransition transition, int device, PresetupResult begun) {
    VhostNet net = transition.net(device);
    transition.finish(device);
    Outcome outcome = Objects.requireNonNull(transition.outcome(device));
    VhostException failure = outcome.failure();
    if (failure == null) {
      return new PresetupResult(begun.generation(), true, null, begun.plan(), outcome.micros());
    }
    // The back end may hold half of a configuration: connect again, and send all of it in the stop
    // window.
    String note = String.valueOf(failure.getMessage());
    net.migration().fellBack(note);
    log.info("{}: presetup failed, going on without: {}", net.name(), note);
    try {
      net.migration().reconnectOnly(note);
    } catch (VhostException | IllegalStateException e) { // its owner has closed it meanwhile
      note = note + "; and again: " + e.getMessage();
    }
    return new PresetupResult(begun.generation(), false, note, begun.plan(), outcome.micros());
  }

  /**
   * Starts devices whose models and guest memory are complete, signals their rings, and serves
   * their control queues. A device that fails is started once more from nothing, on a new
   * connection.
   *
   * @param nets each once; an empty list does nothing
   * @param order the planner's, or the baseline
   * @return one result a device, in order
   * @throws VhostException if a configuration cannot be sent to any back end
   */
  public static List<StartResult> start(List<VhostNet> nets, StartOrder order) {
    if (nets.isEmpty()) {
      return List.of();
    }
    try (var window = new DeviceStart(nets, order)) {
      window.start();
      return window.results();
    } finally {
      nets.forEach(net -> net.migration().serveWhatWaits());
    }
  }

  /**
   * Stops devices. Afterwards their models say where their rings stopped. The planner's order sends
   * all GET_VRING_BASE before the first answer is read; QEMU's order waits for each.
   *
   * @param nets each once; an empty list does nothing
   * @param order the planner's, or the baseline
   * @return one outcome a device, in order; its failure is not thrown
   */
  public static List<Outcome> stop(List<VhostNet> nets, StartOrder order) {
    if (nets.isEmpty()) {
      return List.of();
    }
    try (var stop = new DeviceStop(nets, order)) {
      stop.stop();
      return stop.outcomes();
    }
  }
}
