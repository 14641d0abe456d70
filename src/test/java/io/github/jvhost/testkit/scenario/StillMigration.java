package io.github.jvhost.testkit.scenario;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.concurrent.FutureTask;

/** {@link StillHosts}, a destination that fits, and a link between both: one migration. */
final class StillMigration implements AutoCloseable {
  private final SocketDirectory directory = SocketDirectory.create();
  private final StillHosts hosts;
  private final Host target;
  private final Links links;

  /** Its pages, devices and link are closed with it; the ledger says whether they were. */
  StillMigration(DescriptorLedger ledger) {
    this(ledger, StillHosts.OPTIONS);
  }

  StillMigration(DescriptorLedger ledger, ScenarioOptions options) {
    hosts = new StillHosts(options, directory.path(), ledger);
    target = hosts.target();
    links = Links.connect(directory.path().resolve("m"));
  }

  StillHosts hosts() {
    return hosts;
  }

  Host target() {
    return target;
  }

  /** The device at the source. */
  VhostNet left() {
    return hosts.source.devices().getFirst();
  }

  /** The device at the destination. */
  VhostNet arrived() {
    return target.devices().getFirst();
  }

  /** The source's end of the link. */
  MigrationLink link() {
    return links.source();
  }

  /** The source's end of it, not yet begun; see {@link StillHosts#leaving}. */
  MigrationSource.Builder leaving(boolean early) {
    return hosts.leaving(links.source(), early);
  }

  MigrationSource departure(boolean early, MigrationListener listener) {
    return leaving(early).listener(listener).build();
  }

  /** The destination's end of it, not yet begun. */
  MigrationDestination destination(VmControl vm, PresetupMode mode) {
    return StillHosts.arriving(target.devices(), target, vm, links.destination(), mode);
  }

  /** Begins the destination's end on a thread of its own. */
  FutureTask<DestinationReport> arrive(VmControl vm, PresetupMode mode) {
    return begun(destination(vm, mode));
  }

  /** The same where nobody looks at the VM. */
  FutureTask<DestinationReport> arrive(PresetupMode mode) {
    return arrive(new StillHosts.Vm(false), mode);
  }

  static FutureTask<DestinationReport> begun(MigrationDestination destination) {
    var arriving = new FutureTask<>(destination::run);
    Thread.ofPlatform().daemon().start(arriving);
    return arriving;
  }

  @Override
  public void close() {
    try (directory;
        hosts;
        target;
        links) {
      // In the reverse order.
    }
  }
}
