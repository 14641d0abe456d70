package io.github.jvhost.testkit.scenario;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.guest.GuestSettings;
import io.github.jvhost.testkit.guest.TestGuest;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Two hosts without a migration between them, so that a test can stop between any two of its steps.
 * The guest runs on the source, and its pings are answered.
 */
final class Hosts implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final List<AutoCloseable> opened = new ArrayList<>();
  final Traffic traffic;
  final BackEnds backEnds;
  final Host source;
  final Host target;
  final TestGuest guest;

  /**
   * Hosts that stand.
   *
   * @param directory for sockets; its path has to be short
   * @param features that the guest's driver knows
   */
  Hosts(ScenarioOptions options, Path directory, DescriptorLedger ledger, long features) {
    Dialect dialect = options.variant() == Variant.EXPLICIT ? Dialect.RFC_2023 : Dialect.UPSTREAM;
    try {
      traffic = opened(Traffic.of(options));
      backEnds =
          opened(
              options.backEnd() == ScenarioOptions.BackEndKind.DPDK
                  ? new BackEnds.Dpdk(options, directory)
                  : new BackEnds.Mock(options, dialect, traffic.network(), directory, ledger));
      source = opened(new Host(options, backEnds, BackEnds.Side.SOURCE, dialect, ledger));
      target = opened(new Host(options, backEnds, BackEnds.Side.DESTINATION, dialect, ledger));
      GuestSettings settings =
          GuestSettings.of(traffic.peerMac(), traffic.peerIp(), Ipv4Address.of(10, 0, 0, 10))
              .withQueuePairs(options.queuePairs())
              .withWantedFeatures(features);
      guest = opened(TestGuest.boot(source.memory(), source.nics(), settings, traffic.recorder()));
      guest.start();
      traffic.mark();
      traffic.requireFlowing();
      traffic.pingGuest(guest);
      traffic.requireFlowing();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private <T extends AutoCloseable> T opened(T resource) {
    opened.addFirst(resource);
    return resource;
  }

  static Deadline deadline() {
    return Deadline.after(PATIENCE);
  }

  /** Sets the destination's back ends up early, from the running guest's state. */
  List<PresetupResult> presetup(PresetupMode mode) {
    List<EarlyState> early = new ArrayList<>();
    for (int i = 0; i < source.devices().size(); i++) {
      early.add(new EarlyState(target.devices().get(i), source.devices().get(i).snapshot(), 1));
    }
    return VhostNetGroup.presetup(mode, early, () -> false);
  }

  /** The guest moves, with all its memory, and is announced by nobody. */
  TestGuest move() {
    guest.pause(deadline());
    VhostNetGroup.stop(source.devices(), StartOrder.PLANNED);
    long size = source.memory().totalBytes();
    target.memory().slice(0, size).copyFrom(source.memory().slice(0, size));
    for (int i = 0; i < source.devices().size(); i++) {
      target.devices().get(i).restore(source.devices().get(i).snapshot());
    }
    VhostNetGroup.start(target.devices(), StartOrder.PLANNED);
    traffic.mark();
    TestGuest moved = opened(TestGuest.attach(target.memory(), target.nics(), traffic.recorder()));
    moved.start();
    return moved;
  }

  /** The first byte of the destination's memory that is not zero, or -1. */
  long firstWritten() {
    for (long at = 0; at < target.memory().totalBytes(); at += Long.BYTES) {
      if (target.memory().getLong(at) != 0) {
        return at;
      }
    }
    return -1;
  }

  /** Kicks and calls every ring of the destination. */
  void signalTarget() {
    target.devices().forEach(VhostNet::signalRings);
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
