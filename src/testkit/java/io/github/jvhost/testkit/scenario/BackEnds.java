package io.github.jvhost.testkit.scenario;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.ConfigCharge;
import io.github.jvhost.testkit.FrameDrop;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All back ends of a scenario: one for each device of each host. */
sealed interface BackEnds extends AutoCloseable permits BackEnds.Mock, BackEnds.Dpdk, TapBackEnds {
  /** Returns where the back end of a host's device is. */
  BackEndAddress address(Side side, int device);

  /**
   * Returns the microseconds (modelled) that a host's back ends spent on configuration between two
   * moments.
   */
  long configuredMicros(Side side, long fromNanos, long toNanos);

  /** Returns how many echo frames were counted as dropped. */
  long dropped();

  /**
   * Returns how many frames a host's back ends dropped because a translation was missing, or null
   * if they do not say.
   */
  @Nullable Long droppedUntranslated(Side side);

  @Override
  void close();

  /** The two hosts. */
  enum Side {
    /** The host where the guest runs first. */
    SOURCE,
    /** The host to which it migrates. */
    DESTINATION;

    /** Returns the number of a back end among all of them; the source's come first. */
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
        // A packed ring can be recovered after the loss of a back end only from its in-flight
        // region.
        offer =
            offer
                .withFeatures(offer.features() | NetFeature.RING_PACKED.mask())
                .with(ProtocolFeature.INFLIGHT_SHMFD);
      }
      if (options.iommu()) {
        offer = offer.withIotlb(IotlbModel.DPDK);
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
    public BackEndAddress address(Side side, int device) {
      return new BackEndAddress.Socket(of(side, device).socket());
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
    public @Nullable Long droppedUntranslated(Side side) {
      long dropped = 0;
      for (int i = 0; i < devices; i++) {
        dropped += of(side, i).record().drops(FrameDrop.RX_NOT_TRANSLATED);
      }
      return dropped;
    }

    @Override
    public void close() {
      backEnds.forEach(MockBackEnd::close);
      ports.forEach(SwitchPort::close);
    }
  }

  /** One real testpmd with a port for each device of each host. It answers pings itself. */
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
      if (options.iommu()) {
        builder.iommu();
      }
      for (Side side : Side.values()) {
        for (int i = 0; i < devices; i++) {
          builder.port(directory.resolve(side.label() + "-" + i));
        }
      }
      testpmd = builder.start(Deadline.after(PATIENCE));
    }

    @Override
    public BackEndAddress address(Side side, int device) {
      return new BackEndAddress.Socket(testpmd.socket(side.index(device, devices)));
    }

    /** A real back end does not report its costs. */
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

    /** It counts them among all frames that it dropped. */
    @Override
    public @Nullable Long droppedUntranslated(Side side) {
      return null;
    }

    @Override
    public void close() {
      testpmd.close();
    }
  }

  /** Returns the mock back end of a host's device, or null if it is a real one. */
  default @Nullable MockBackEnd mock(Side side, int device) {
    return this instanceof Mock mock ? mock.of(side, device) : null;
  }
}
