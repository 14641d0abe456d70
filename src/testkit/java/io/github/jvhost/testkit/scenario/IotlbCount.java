package io.github.jvhost.testkit.scenario;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.Step;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * The destination's VM of a guest behind an IOMMU. It gives the IOMMU its state when the window
 * begins, as a VMM does, and counts what the back ends were told and asked for.
 *
 * <pre>
 *   presetup            | HAND_OVER    start   | resume    a hundred answers |
 *   toldEarly           | toldInWindow         |                             |
 *                       | missesInWindow       | missesAfter                 |
 * </pre>
 */
final class IotlbCount implements MigrationListener {
  /** For how many answers on each NIC misses are counted. */
  static final int FRAMES = 100;

  private final Host source;
  private final Host target;

  // Written by the migration's thread, and read when that has ended.
  private long early;
  private long missesBefore;
  private long missesAtResume;
  private long missesAtEnd;

  IotlbCount(Host source, Host target) {
    this.source = source;
    this.target = target;
  }

  @Override
  public void phase(Phase phase) {
    if (phase == Phase.HAND_OVER) {
      target.takeIommus(source);
      early = sum(net -> net.iotlb().told());
      missesBefore = misses();
    }
  }

  /** The guest is about to run. */
  void windowEnds() {
    missesAtResume = misses();
  }

  /** The guest has its answers. */
  void framesCame() {
    missesAtEnd = misses();
  }

  RunResult.Iotlb toResult(DestinationReport arrived, BackEnds backEnds) {
    return new RunResult.Iotlb(
        early,
        arrived.starts().stream().mapToLong(IotlbCount::told).sum(),
        missesAtResume - missesBefore,
        missesAtEnd - missesAtResume,
        backEnds.droppedUntranslated(BackEnds.Side.DESTINATION),
        sum(net -> net.iotlb().widened()));
  }

  private static long told(StartResult start) {
    return start.plan().steps().stream().filter(s -> s.step() instanceof Step.Translate).count();
  }

  private long misses() {
    return sum(net -> net.iotlb().misses());
  }

  private long sum(ToLongFunction<VhostNet> of) {
    List<VhostNet> devices = target.devices();
    return devices.stream().mapToLong(of).sum();
  }
}
