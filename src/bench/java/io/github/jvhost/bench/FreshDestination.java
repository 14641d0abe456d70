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
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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
    List<Path> sockets = new ArrayList<>();
    for (int i = 0; i < devices; i++) {
      sockets.add(ColdStartBench.backEnd(directory, "to", i));
    }
    SocketChannel channel =
        SocketChannel.open(UnixDomainSocketAddress.of(ColdStartBench.link(directory)));
    var ledger = DescriptorLedger.counting();
    try (var link = SocketLink.over(channel);
        var machine = new StillMachine(shape, ledger)) {
      for (int i = 0; i < Integer.parseInt(args[3]); i++) {
        System.out.println(windowNanos(machine, sockets, link) + UNIT);
      }
    }
  }

  /** One migration: the time from its first final record to the last barrier's answer. */
  private static long windowNanos(StillMachine machine, List<Path> sockets, MigrationLink link) {
    List<VhostNet> nets = machine.connect(sockets, DIALECT, BackEndProfile.GENERIC);
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
      return report.startedNanos() - report.finalNanos();
    } finally {
      nets.forEach(VhostNet::close);
    }
  }

  /** A guest that has nothing to do. */
  static final class NobodyRuns implements VmControl {
    @Override
    public void pause() {}

    @Override
    public void resume() {}
  }
}
