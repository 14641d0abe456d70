package io.github.jvhost.bench;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.SocketLink;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * {@link ColdStartBench} runs this in its own JVM: the destination of one migration after the
 * other, from the JVM's first one on. Prints a line for each.
 */
final class FreshDestination {
  static final Dialect DIALECT = Dialect.RFC_2023;

  /** Ends a line, so that half of one is not taken for a whole. */
  static final String UNIT = " ns";

  private FreshDestination() {}

  /**
   * Receives migrations.
   *
   * @param args where sockets are; devices, queue pairs of each, migrations
   * @throws IOException there is no source
   */
  public static void main(String[] args) throws IOException {
    Path directory = Path.of(args[0]);
    int devices = Integer.parseInt(args[1]);
    var shape =
        new StillMachine.Shape(devices, Integer.parseInt(args[2]), ColdStartBench.MEMORY_BYTES);
    List<Path> sockets = ColdStartBench.backEnds(directory, devices);
    SocketChannel channel =
        SocketChannel.open(UnixDomainSocketAddress.of(ColdStartBench.link(directory)));
    var ledger = DescriptorLedger.counting();
    try (var link = SocketLink.over(channel);
        var machine = new StillMachine(shape, ledger)) {
      for (int i = 0; i < Integer.parseInt(args[3]); i++) {
        System.out.println(window(machine, sockets, link) + UNIT);
      }
    }
  }

  /**
   * The stop window of one migration; times are of {@link System#nanoTime}.
   *
   * @param finalNanos when its first final record came
   * @param lastFinalNanos when its last final record came
   * @param answeredNanos when the last barrier had been answered
   * @param resumedNanos when the guest ran
   * @param sentNanos when the first device's plan was about to be sent
   * @param rehearsed how many windows were rehearsed before
   */
  record Window(
      long finalNanos,
      long lastFinalNanos,
      long answeredNanos,
      long resumedNanos,
      long sentNanos,
      int rehearsed) {
    private static final Pattern LINE =
        Pattern.compile("(\\d+) (\\d+) (\\d+) (\\d+) (\\d+) (\\d+)");

    /** Of a line that such a process has printed. */
    static Window of(String line) {
      Matcher found = LINE.matcher(line);
      if (!found.find()) {
        throw new IllegalArgumentException("no window: " + line);
      }
      return new Window(
          Long.parseLong(found.group(1)),
          Long.parseLong(found.group(2)),
          Long.parseLong(found.group(3)),
          Long.parseLong(found.group(4)),
          Long.parseLong(found.group(5)),
          Integer.parseInt(found.group(6)));
    }

    /** From the first final record to the last barrier's answer. */
    long nanos() {
      return answeredNanos - finalNanos;
    }

    /** From the last final record to the guest's resume, without sending plans and waiting. */
    long withoutBarrierNanos() {
      return sentNanos - lastFinalNanos + resumedNanos - answeredNanos;
    }

    @Override
    public String toString() {
      return "%d %d %d %d %d %d"
          .formatted(finalNanos, lastFinalNanos, answeredNanos, resumedNanos, sentNanos, rehearsed);
    }
  }

  private static Window window(StillMachine machine, List<Path> sockets, MigrationLink link) {
    List<VhostNet> nets = machine.connect(sockets, DIALECT, BackEndProfile.NVIDIA_VFE);
    try {
      DestinationReport report =
          MigrationDestination.builder()
              .devices(nets)
              .ram(new InPlaceTarget(machine.memory()))
              .vm(new NobodyRuns())
              .link(link)
              .presetup(PresetupMode.EXPLICIT)
              .options(MigrationOptions.defaults())
              .build()
              .run();
      for (StartResult start : report.starts()) {
        if (start.fallback() != null) {
          throw new IllegalStateException("a device started twice: " + start.fallback());
        }
      }
      report
          .presetups()
          .forEach((device, presetup) -> {
            if (!presetup.done()) {
              throw new IllegalStateException(device + " was not preset: " + presetup.note());
            }
          });
      return new Window(
          report.finalNanos(),
          report.lastFinalNanos(),
          outcomes(report).mapToLong(Outcome::endNanos).max().orElseThrow(),
          report.resumedNanos(),
          outcomes(report).mapToLong(Outcome::startNanos).min().orElseThrow(),
          report.rehearsal().windows());
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  private static Stream<Outcome> outcomes(DestinationReport report) {
    return report.starts().stream().map(StartResult::outcome);
  }

  /** A guest that has nothing to do. */
  static final class NobodyRuns implements VmControl {
    @Override
    public void pause() {}

    @Override
    public void resume() {}
  }
}
