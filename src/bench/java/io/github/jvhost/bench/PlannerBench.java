package io.github.jvhost.bench;

import io.github.jvhost.bench.Arrivals.Configurations;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.EarlyConfiguration;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.HdrHistogram.Histogram;

/**
 * The time to compute the difference after presetup, against the time to send it to a back end that
 * answers at once.
 *
 * <p>A message of vhost-user names one of 256 rings, so 512 rings are told to two devices with half
 * of them each, side by side.
 */
public final class PlannerBench implements Bench {
  private static final int PAIRS = 256;
  private static final int DEVICES = 2;
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  /** Plans that are made before anything is timed, for each round of warm-up. */
  private static final int PLANS_TO_WARM_UP = 20;

  private static final Question BASES =
      new Question(
          "planning %d rings, bases differ; to telling it".formatted(2 * PAIRS),
          new Goal.Within(1, false));

  private static final Question NOTIFIERS =
      new Question(
          "planning %d rings, bases and eventfds differ; to telling it".formatted(2 * PAIRS),
          new Goal.Within(1, false));

  /** Benchmarks without state. */
  public PlannerBench() {}

  @Override
  public List<BenchRow> run(Effort effort) {
    return Questions.of(BASES, NOTIFIERS).askWithPeer(program -> measure(program, effort));
  }

  private static List<BenchRow> measure(PeerProgram program, Effort effort) {
    try (var backEnd = AnsweringPeer.start(program, DEVICES, Duration.ZERO)) {
      Path socket = backEnd.sockets(1).getFirst();
      try (var arrivals = new Arrivals(DescriptorLedger.counting(), PAIRS, socket)) {
        Configurations told = arrivals.configurations(socket);
        backEnd.awaitClosed(2);
        // DPDK holds its rings until DRIVER_OK: after an implicit presetup only bases are left.
        var bases = new Case(arrivals, backEnd, told, BackEndProfile.DPDK);
        var eventfds = new Case(arrivals, backEnd, told, BackEndProfile.GENERIC);
        return List.of(bases.answer(BASES, effort), eventfds.answer(NOTIFIERS, effort));
      }
    }
  }

  /**
   * One kind of presetup, which the profile decides.
   *
   * @param told before and in the window, of all rings
   */
  private record Case(
      Arrivals arrivals, AnsweringPeer backEnd, Configurations told, BackEndProfile profile) {
    BenchRow answer(Question question, Effort effort) {
      BackEndCapabilities can;
      try (VhostDevice device = connect(0)) {
        can = device.capabilities();
      }
      backEnd.awaitClosed(1);
      Shadow held = shadowAfter(Planner.plan(Shadow.nothingHeld(), early(told.early(), can), can));
      for (int i = 0; i < PLANS_TO_WARM_UP * effort.warmUp(); i++) {
        Planner.plan(held, told.last(), can);
      }
      List<Histogram> times = Rounds.run(effort, List.of(() -> plan(held, can), () -> tell(can)));
      int steps = Planner.plan(held, told.last(), can).steps().size();
      return question.timed(times.get(0), times.get(1), steps + " steps");
    }

    private VhostDevice connect(int device) {
      Path socket = backEnd.sockets(DEVICES).get(device);
      return VhostDevice.connect(arrivals.options(socket, device, profile));
    }

    private DeviceConfig early(DeviceConfig running, BackEndCapabilities can) {
      return profile == BackEndProfile.DPDK
          ? EarlyConfiguration.of(PresetupMode.IMPLICIT, running, can)
          : EarlyConfiguration.of(PresetupMode.EXPLICIT, running, can);
    }

    /** As if a back end had taken all of it. */
    private static Shadow shadowAfter(Plan plan) {
      var taken = new Outcome(plan.steps().size(), List.of(), 0, 0, 0, 0, null);
      return Shadow.nothingHeld().after(plan, taken);
    }

    /** Nanoseconds to make the plan. */
    private long plan(Shadow held, BackEndCapabilities can) {
      Arrivals.beBusy(System.nanoTime());
      long from = System.nanoTime();
      Plan plan = Planner.plan(held, told.last(), can);
      long nanos = System.nanoTime() - from;
      return plan.isEmpty() ? 0 : nanos;
    }

    /** Nanoseconds to tell it, up to the last barrier's answer. */
    private long tell(BackEndCapabilities can) {
      Deadline deadline = Deadline.after(PATIENCE);
      long nanos = 0;
      try (VhostDevice one = connect(0);
          VhostDevice other = connect(1)) {
        List<VhostDevice> devices = List.of(one, other);
        for (VhostDevice device : devices) {
          device.execute(device.plan(early(half(told.early()), can)), deadline).orThrow();
        }
        List<Plan> plans = devices.stream().map(d -> d.plan(half(told.last()))).toList();
        Arrivals.beBusy(System.nanoTime());
        long from = System.nanoTime();
        for (Outcome outcome : VhostDevice.executeAll(devices, plans, deadline)) {
          nanos = Math.max(nanos, outcome.orThrow().endNanos() - from);
        }
      }
      backEnd.awaitClosed(DEVICES);
      return nanos;
    }

    private static DeviceConfig half(DeviceConfig all) {
      return all.with(all.lifecycle(), all.rings().subList(0, all.rings().size() / DEVICES));
    }
  }
}
