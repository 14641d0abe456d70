package io.github.jvhost.testkit.scenario;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.ConfigCharge;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All back ends of a scenario: one for each device of each host. */
sealed interface BackEnds extends AutoCloseable {
  /** Where the back end of a host's device listens. */
  Path socket(Side side, int device);

  /** Microseconds (modelled) that a host's back ends spent configuring in a span of time. */
  long configuredMicros(Side side, long fromNanos, long toNanos);

  /** Echo frames that were counted as dropped. */
  long dropped();

  @Override
  void close();

  /** The two hosts. */
  enum Side {
    /** Where the guest comes from. */
    SOURCE,
    /** Where it goes. */
    DESTINATION;

    /** Back ends are numbered through, the source's first. */
    int index(int device, int devices) {
      return this == SOURCE ? device : devices + device;
    }

    String label() {
      return this == SOURCE ? "source" : "destination";
    }
  }

  /** Mock back ends on one switch. */
  final class Mock implements BackEnds {
    private final List<MockBackEnd> backEnds = new ArrayList<>();
    private final List<SwitchPort> ports = new ArrayList<>();
    private final int devices;

    Mock(
        ScenarioOptions options,
        Dialect dialect,
        LearningSwitch network,
        Path directory,
        DescriptorLedger ledger) {
      devices = options.devices();
      BackEndOffer offer =
          BackEndOffer.of(options.personality())
              .withDialect(dialect)
              .withQueuePairs(options.maxQueuePairs());
      if (options.packed()) {
        // Without the region nobody could say where a back end was that is gone.
        offer =
            offer
                .withFeatures(offer.features() | NetFeature.RING_PACKED.mask())
                .with(ProtocolFeature.INFLIGHT_SHMFD);
      }
      for (Side side : Side.values()) {
        for (int i = 0; i < devices; i++) {
          String name = side.label() + "-" + i;
          SwitchPort port = network.attach(name);
          ports.add(port);
          backEnds.add(
              MockBackEnd.builder(directory.resolve(name), ledger)
                  .name(name)
                  .offer(offer)
                  .hardware(options.hardware())
                  .port(port)
                  .start());
        }
      }
    }

    MockBackEnd of(Side side, int device) {
      return backEnds.get(side.index(device, devices));
    }

    @Override
    public Path socket(Side side, int device) {
      return of(side, device).socket();
    }

    @Override
    public long configuredMicros(Side side, long fromNanos, long toNanos) {
      long micros = 0;
      for (int i = 0; i < devices; i++) {
        for (ConfigCharge charge : of(side, i).record().charges()) {
          if (charge.startNanos() >= fromNanos && charge.startNanos() <= toNanos) {
            micros += charge.micros();
          }
        }
      }
      return micros;
    }

    @Override
    public long dropped() {
      long dropped = 0;
      for (MockBackEnd backEnd : backEnds) {
        dropped += backEnd.record().droppedEchoes();
      }
      for (SwitchPort port : ports) {
        dropped += port.dropped();
      }
      return dropped;
    }

    @Override
    public void close() {
      backEnds.forEach(MockBackEnd::close);
      ports.forEach(SwitchPort::close);
    }
  }

  /** One real testpmd with a port for each device of each host; it answers pings itself. */
  final class Dpdk implements BackEnds {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Testpmd testpmd;
    private final int devices;

    Dpdk(ScenarioOptions options, Path directory) {
      devices = options.devices();
      Testpmd.Builder builder = Testpmd.builder().queuePairs(options.maxQueuePairs());
      if (options.testpmd() != null) {
        builder.program(options.testpmd());
      }
      for (Side side : Side.values()) {
        for (int i = 0; i < devices; i++) {
          builder.port(directory.resolve(side.label() + "-" + i));
        }
      }
      testpmd = builder.start(Deadline.after(PATIENCE));
    }

    @Override
    public Path socket(Side side, int device) {
      return testpmd.socket(side.index(device, devices));
    }

    /** A real back end tells nobody what its work costs. */
    @Override
    public long configuredMicros(Side side, long fromNanos, long toNanos) {
      return 0;
    }

    @Override
    public long dropped() {
      return testpmd.statistics(Deadline.after(PATIENCE)).stream()
          .mapToLong(PortStatistics::dropped)
          .sum();
    }

    @Override
    public void close() {
      testpmd.close();
    }
  }

  /** The mock back end of a destination's device, or null where a real one is used. */
  default @Nullable MockBackEnd mock(Side side, int device) {
    return this instanceof Mock mock ? mock.of(side, device) : null;
  }
}
