package io.github.jvhost.testkit.scenario;

import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.MigrationListener;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.RamSource;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.guest.DmaMode;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A source whose guest has booted and does nothing, and destinations for it: a migration with as
 * few messages as there can be. Which side's guest runs is written down.
 */
final class StillHosts implements AutoCloseable {
  static final ScenarioOptions OPTIONS = ScenarioOptions.of(Variant.IMPLICIT).sized(1, 1, 16 << 20);

  private final List<AutoCloseable> opened = new ArrayList<>();
  private final ScenarioOptions options;
  private final DescriptorLedger ledger;
  private final BackEnds.Mock backEnds;
  final Host source;
  final Vm sourceVm = new Vm(true);

  /** Writes down whether its guest runs. */
  static final class Vm implements VmControl {
    private volatile boolean runs;

    Vm(boolean runs) {
      this.runs = runs;
    }

    boolean runs() {
      return runs;
    }

    @Override
    public void pause() {
      runs = false;
    }

    @Override
    public void resume() {
      runs = true;
    }
  }

  StillHosts(Path directory, DescriptorLedger ledger) {
    this(OPTIONS, directory, ledger);
  }

  StillHosts(ScenarioOptions options, Path directory, DescriptorLedger ledger) {
    this.options = options;
    this.ledger = ledger;
    try {
      Traffic traffic = opened(new Traffic(options.devices(), true));
      backEnds =
          opened(
              new BackEnds.Mock(options, Dialect.UPSTREAM, traffic.network(), directory, ledger));
      source = opened(host(options, BackEnds.Side.SOURCE));
      GuestSettings settings =
          GuestSettings.of(traffic.peerMac(), traffic.peerIp(), Ipv4Address.of(10, 0, 0, 10))
              .withDma(options.iommu() ? DmaMode.STATIC : DmaMode.GUEST_ADDRESSES);
      opened(TestGuest.boot(source.memory(), source.nics(), settings, traffic.recorder()));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private <T extends AutoCloseable> T opened(T resource) {
    opened.addFirst(resource);
    return resource;
  }

  private Host host(ScenarioOptions options, BackEnds.Side side) {
    return new Host(options, backEnds, side, Dialect.UPSTREAM, ledger);
  }

  /** A destination that fits; the caller's to close. */
  Host target() {
    return host(options, BackEnds.Side.DESTINATION);
  }

  /** One with other memory; the caller's to close. */
  Host targetWithMemory(long bytes) {
    return host(options.sized(1, 1, bytes), BackEnds.Side.DESTINATION);
  }

  /** The destination's back end. */
  MockBackEnd targetBackEnd() {
    return backEnds.of(BackEnds.Side.DESTINATION, 0);
  }

  /** The names of all messages that the destination's back end was told. */
  List<String> toldToTarget() {
    return targetBackEnd().record().names();
  }

  static MigrationOptions options(boolean early) {
    MigrationOptions defaults = MigrationOptions.defaults();
    return early ? defaults : defaults.withoutEarly(Variant.OFF_PIPELINED.order());
  }

  /** Migrates away from the source, on the caller's thread. */
  SourceReport leave(MigrationLink link, boolean early) {
    return departure(link, early, _ -> {}).run();
  }

  /** A migration away from the source, not yet begun. */
  MigrationSource departure(MigrationLink link, boolean early, MigrationListener listener) {
    return leaving(link, early).listener(listener).build();
  }

  /** The same, for a test that wants something of its own. */
  MigrationSource.Builder leaving(MigrationLink link, boolean early) {
    return MigrationSource.builder(ledger)
        .devices(source.devices())
        .ram(ram())
        .vm(sourceVm)
        .link(link)
        .options(options(early));
  }

  /** The source's RAM. */
  RamSource ram() {
    return new PreCopySource(source.memory(), 0, Runnable::run);
  }

  /** Migrates to a destination, on the caller's thread. */
  static DestinationReport arrive(
      List<VhostNet> devices, Host target, VmControl vm, MigrationLink link, PresetupMode mode) {
    return arriving(devices, target, vm, link, mode).run();
  }

  /** A migration to a destination, not yet begun. */
  static MigrationDestination arriving(
      List<VhostNet> devices, Host target, VmControl vm, MigrationLink link, PresetupMode mode) {
    return MigrationDestination.builder()
        .devices(devices)
        .ram(new InPlaceTarget(target.memory()))
        .vm(vm)
        .link(link)
        .presetup(mode)
        .options(
            options(mode != PresetupMode.OFF)
                .patience(Duration.ofSeconds(5), Duration.ofSeconds(1)))
        .build();
  }

  @Override
  public void close() {
    RuntimeException failure = null;
    for (AutoCloseable resource : opened) {
      try {
        resource.close();
      } catch (Exception e) {
        failure = new IllegalStateException("closing " + resource, e);
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
