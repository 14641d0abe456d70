package io.github.jvhost.testkit.scenario;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.guest.WorkingSetCheck;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PlannedStep;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The facts about a finished migration, from which a result is made.
 *
 * @param left the source's report; null if the guest stayed at the source
 * @param arrived the destination's report; null if the guest did not arrive
 * @param stayed why the guest stayed at the source
 * @param iotlb what was counted of translations; null without an IOMMU
 * @param watch when the migration began
 */
record Facts(
    ScenarioOptions options,
    @Nullable SourceReport left,
    @Nullable DestinationReport arrived,
    @Nullable MigrationException stayed,
    TestGuest runner,
    Traffic traffic,
    BackEnds backEnds,
    Host target,
    @Nullable IotlbCount iotlb,
    Watch watch) {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  RunResult toResult(boolean recovered, double residentShare) {
    List<String> problems = problems();
    List<PingStats> outbound = traffic.outbound();
    List<PingStats> inbound = traffic.inbound();
    long dropped = backEnds.dropped();
    long missing = traffic.missing();
    return new RunResult(
        options,
        arrived == null ? "source" : "destination",
        left == null ? 0 : (left.stoppedNanos() - left.pausedNanos()) / 1_000,
        arrived == null ? 0 : arrived.windowMicros(),
        sum(StartResult::messages),
        sum(StartResult::waits),
        left == null ? 0 : left.stops().stream().mapToInt(Outcome::messages).sum(),
        left == null ? 0 : left.stops().stream().mapToInt(Outcome::waits).sum(),
        configuredMicros(),
        left == null ? target.pages() : left.totalPages(),
        left == null ? 0 : left.finalRoundPages(),
        residentShare,
        problems.isEmpty(),
        problems,
        pings(outbound),
        inbound.isEmpty() ? null : pings(inbound),
        Math.min(dropped, missing),
        Math.max(0, missing - dropped),
        longestGapMicros(outbound),
        inbound.isEmpty() ? null : longestGapMicros(inbound),
        recovered,
        iotlb == null || arrived == null ? null : iotlb.toResult(arrived, backEnds),
        plan(),
        fallback(),
        phases(),
        watch.timeLine(
            left, arrived, target.devices().stream().map(VhostNet::name).toList(), backEnds));
  }

  private interface Count {
    int of(StartResult start);
  }

  private int sum(Count count) {
    return arrived == null ? 0 : arrived.starts().stream().mapToInt(count::of).sum();
  }

  private long configuredMicros() {
    return arrived == null
        ? 0
        : backEnds.configuredMicros(
            BackEnds.Side.DESTINATION, arrived.finalNanos(), arrived.startedNanos());
  }

  private List<String> problems() {
    Deadline deadline = Deadline.after(PATIENCE);
    List<String> problems = new ArrayList<>(runner.problems());
    WorkingSetCheck check = runner.verifyWorkingSet(deadline);
    problems.addAll(check.problems());
    problems.addAll(runner.verifyMailboxes(deadline));
    for (PingStats stats : traffic.outbound()) {
      if (stats.corrupt() + stats.resent() + stats.unknown() > 0) {
        problems.add("the guest's pings: " + stats);
      }
    }
    return problems;
  }

  private static RunResult.Pings pings(List<PingStats> all) {
    return new RunResult.Pings(
        all.stream().mapToLong(PingStats::sent).sum(),
        all.stream().mapToLong(PingStats::answered).sum(),
        all.stream().mapToLong(PingStats::duplicates).sum());
  }

  /**
   * Returns how many pings were neither answered nor abandoned by a guest that reset its device.
   */
  private static long longestGapMicros(List<PingStats> all) {
    return all.stream().mapToLong(PingStats::longestGapNanos).max().orElse(0) / 1_000;
  }

  private List<RunResult.DeviceStep> plan() {
    List<RunResult.DeviceStep> steps = new ArrayList<>();
    if (arrived != null) {
      for (int i = 0; i < arrived.starts().size(); i++) {
        String device = target.devices().get(i).name();
        for (PlannedStep step : arrived.starts().get(i).plan().steps()) {
          steps.add(
              new RunResult.DeviceStep(
                  device,
                  step.field(),
                  step.before() == null ? null : step.before().toString(),
                  step.after() == null ? null : step.after().toString(),
                  step.why().text()));
        }
      }
    }
    return steps;
  }

  private @Nullable String fallback() {
    if (stayed != null) {
      return stayed.getMessage();
    }
    List<String> reasons = new ArrayList<>();
    if (left != null && left.fallback() != null) {
      reasons.add(left.fallback());
    }
    if (arrived != null) {
      for (int i = 0; i < arrived.starts().size(); i++) {
        String fallback = arrived.starts().get(i).fallback();
        if (fallback != null) {
          reasons.add(
              "%s was started again from nothing: %s"
                  .formatted(target.devices().get(i).name(), fallback));
        }
      }
    }
    return reasons.isEmpty() ? null : String.join("; ", reasons);
  }

  private Map<String, Long> phases() {
    Map<String, Long> phases = new LinkedHashMap<>();
    if (arrived != null) {
      long presetup =
          arrived.presetups().values().stream().mapToLong(PresetupResult::micros).max().orElse(0);
      phases.put("destination.presetup", presetup);
    }
    if (left != null) {
      phases.put("source.pause", micros(left.pausingNanos(), left.pausedNanos()));
      phases.put("source.stopRings", micros(left.pausedNanos(), left.stoppedNanos()));
      phases.put("source.lastPagesAndState", micros(left.stoppedNanos(), left.committedNanos()));
    }
    if (arrived != null) {
      phases.put("destination.endPresetup", arrived.endPresetupNanos() / 1_000);
      phases.put("destination.restore", micros(arrived.finalNanos(), arrived.restoredNanos()));
      phases.put("destination.start", micros(arrived.restoredNanos(), arrived.startedNanos()));
      phases.put("destination.resume", micros(arrived.startedNanos(), arrived.resumedNanos()));
    }
    if (left != null && arrived != null) {
      // Both sides run in one process here, so they have the same clock.
      phases.put("downtime", micros(left.pausingNanos(), arrived.resumedNanos()));
    }
    return phases;
  }

  private static long micros(long from, long to) {
    return (to - from) / 1_000;
  }
}
