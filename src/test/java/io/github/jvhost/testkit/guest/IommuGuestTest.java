package io.github.jvhost.testkit.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.FrameDrop;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.AnsweringHost;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.PingStats;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A guest whose driver maps its rings and buffers, behind a device and a mock back end. */
class IommuGuestTest {
  private static final MacAddress HOST = MacAddress.parse("02:00:00:00:00:01");
  private static final Ipv4Address HOST_IP = Ipv4Address.of(10, 0, 0, 1);
  private static final GuestSettings SETTINGS =
      GuestSettings.of(HOST, HOST_IP, Ipv4Address.of(10, 0, 0, 10)).withQueueSize(64, 16);

  @TempDir private Path dir;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final LearningSwitch network = new LearningSwitch();
  private final AnsweringHost host = AnsweringHost.start(network, "host", HOST, HOST_IP);
  private final PingRecorder recorder = new PingRecorder(1);
  private final IommuTable table = new IommuTable();
  private final List<AutoCloseable> toClose = new ArrayList<>(List.of(host));
  private GuestMemory memory;
  private MockBackEnd backEnd;
  private VirtioNet model;
  private VhostNet net;
  private List<RingEventfds> rings;
  private EventFd controlCall;

  @BeforeEach
  void plugIn() {
    memory = closing(GuestMemory.builder(ledger).region("ram", 0, 16 << 20).build());
    SwitchPort port = closing(network.attach("nic"));
    BackEndOffer offer = BackEndOffer.of(Personality.DPDK);
    long packed = NetFeature.RING_PACKED.mask();
    backEnd =
        closing(
            MockBackEnd.builder(dir.resolve("nic"), ledger)
                .offer(offer.withFeatures(offer.features() | packed).withIotlb(IotlbModel.DPDK))
                .port(port)
                .start());
    model =
        VirtioNet.builder("nic")
            .mac(new MacAddress(0x5254_0000_0001L))
            .maxQueuePairs(2)
            .deviceFeatures(
                VirtioNetBuilder.DEFAULT_FEATURES
                    | NetFeature.maskOf(
                        NetFeature.MQ, NetFeature.RING_PACKED, NetFeature.ACCESS_PLATFORM))
            .build();
    rings = RingEventfds.create(ledger, "nic", 4);
    rings.forEach(ring -> toClose.add(ring::close));
    controlCall = closing(EventFd.create(ledger, "control call"));
    net = connect(table);
  }

  private VhostNet connect(Iommu iommu) {
    VhostNet connected =
        closing(
            VhostNet.connect(
                model,
                new DeviceMemory(memory, iommu),
                rings,
                VhostDeviceOptions.of(
                    "nic", backEnd.socket(), Dialect.UPSTREAM, BackEndProfile.DPDK, ledger)));
    BackEndWatch watch = closing(BackEndWatch.start(ledger, BackEndWatch.Listener.NONE));
    watch.watch(connected, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
    return connected;
  }

  private <T extends AutoCloseable> T closing(T closeable) {
    toClose.add(closeable);
    return closeable;
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable closeable : toClose.reversed()) {
      closeable.close();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private GuestIommu told(boolean push) {
    return GuestIommu.of(table, net, push);
  }

  private GuestNic nic(GuestIommu iommu) {
    List<EventFd> calls = new ArrayList<>(rings.stream().map(RingEventfds::call).toList());
    calls.add(controlCall);
    DeviceAccess access =
        new DeviceAccess() {
          @Override
          public void registers(Runnable accesses) {
            net.access(accesses);
          }

          @Override
          public void controlKick() {
            net.serviceControlQueue();
          }
        };
    GuestNic nic =
        new GuestNic(model, rings.stream().map(RingEventfds::kick).toList(), calls, access, iommu);
    model.onChange(change -> {
      if (change == DeviceChange.CONFIG_INTERRUPT) {
        nic.configChanged();
      } else if (change == DeviceChange.CONTROL_USED) {
        controlCall.signal();
      }
    });
    return nic;
  }

  private TestGuest booted(GuestSettings settings, GuestIommu iommu) {
    return closing(TestGuest.boot(memory, List.of(nic(iommu)), settings, recorder));
  }

  private static Deadline soon() {
    return Deadline.in(20, TimeUnit.SECONDS);
  }

  private static void until(Supplier<String> what, BooleanSupplier condition) {
    Deadline deadline = soon();
    while (!condition.getAsBoolean()) {
      assertThat(deadline.expired()).as(() -> "in time: " + what.get()).isFalse();
      LockSupport.parkNanos(100_000);
    }
  }

  private PingStats stats() {
    return recorder.nic(0).stats(Duration.ZERO);
  }

  private void untilAnswered(TestGuest guest, long more) {
    long goal = stats().answered() + more;
    until(
        () ->
            "%d more answers, %s %s %s %s %d drops"
                .formatted(
                    more,
                    stats(),
                    guest.problems(),
                    backEnd.record().notes(),
                    backEnd.record().iotlb(),
                    backEnd.record().drops()),
        () -> stats().answered() >= goal || !guest.problems().isEmpty());
  }

  private void assertSound(TestGuest guest) {
    guest.sending(false, soon());
    until(
        () -> "each ping answered, or lost to a miss: " + stats(),
        () -> stats().sent() - stats().answered() <= backEnd.record().drops());
    assertThat(guest.problems()).isEmpty();
    assertThat(guest.verifyMailboxes(soon())).isEmpty();
    assertThat(stats().corrupt() + stats().duplicates() + stats().unknown()).isZero();
    assertThat(backEnd.record().violations()).isEmpty();
    assertThat(backEnd.record().notes()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"STATIC, false", "STATIC, true", "PER_FRAME, false", "PER_FRAME, true"})
  void pingsThroughItsMappings(DmaMode mode, boolean packed) {
    long features = GuestSettings.KNOWN_FEATURES;
    TestGuest guest =
        booted(
            SETTINGS
                .withDma(mode)
                .withWantedFeatures(packed ? features : features & ~NetFeature.RING_PACKED.mask()),
            told(false));
    guest.start();
    untilAnswered(guest, 200);

    assertThat(model.packed()).isEqualTo(packed);
    assertSound(guest);
  }

  @Test
  void tellsAddressesThatAreNoGuestAddresses() {
    TestGuest guest = booted(SETTINGS.withDma(DmaMode.STATIC), GuestIommu.of(table));
    guest.start();
    untilAnswered(guest, 20);

    QueueState queue = model.queue(0);
    for (long address : new long[] {queue.desc(), queue.avail(), queue.used()}) {
      assertThat(memory.table().contains(address, 1)).isFalse();
    }
    List<Translation> mappings = table.mappings();
    for (int i = 1; i < mappings.size(); i++) {
      assertThat(mappings.get(i - 1).adjoins(mappings.get(i))).as("a gap").isFalse();
    }
    assertThat(mappings.stream().filter(m -> m.access() == Access.READ))
        .as("16 buffers of 2 KiB to send from")
        .hasSize(8);
    assertThat(mappings.stream().filter(m -> m.access() == Access.WRITE))
        .as("as many to receive into, perhaps of both pairs")
        .hasSizeBetween(8, 16);
    assertThat(mappings.stream().filter(m -> m.access() == Access.READ_WRITE))
        .as("five rings, and the commands")
        .hasSize(6);
  }

  @Test
  void withEachFrameToldNoFrameIsAskedFor() {
    TestGuest guest = booted(SETTINGS.withDma(DmaMode.PER_FRAME), told(true));
    guest.start();
    untilAnswered(guest, 200);

    assertSound(guest);
    assertThat(backEnd.record().iotlb().misses(1)).isZero();
    assertThat(backEnd.record().drops(FrameDrop.RX_NOT_TRANSLATED)).isZero();
    assertThat(backEnd.record().iotlb().invalidations()).isGreaterThan(190);
    assertThat(table.mappings().stream().filter(m -> m.access() == Access.READ))
        .as("frames that are on their way")
        .hasSizeLessThan(16);
  }

  @Test
  void aVmmThatTellsNoInvalidationSendsOldFramesAgain() {
    TestGuest guest = booted(SETTINGS.withDma(DmaMode.PER_FRAME), GuestIommu.of(table));
    guest.start();

    until(() -> "an old frame: " + stats(), () -> stats().duplicates() > 0);
  }

  @ParameterizedTest
  @EnumSource(
      value = DmaMode.class,
      names = {"STATIC", "PER_FRAME"})
  void aResetUnmapsEverythingAndMapsItAnew(DmaMode mode) {
    TestGuest guest = booted(SETTINGS.withDma(mode), told(true));
    guest.start();
    untilAnswered(guest, 20);
    int before = table.mappings().size();

    guest.sending(false, soon());
    guest.resetAndReinit(0, soon());
    assertThat(table.mappings()).hasSizeLessThanOrEqualTo(before);
    guest.sending(true, soon());

    untilAnswered(guest, 100);
    assertThat(guest.problems()).isEmpty();
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void anotherObjectGoesOnWithTheSameMappings() {
    TestGuest guest = booted(SETTINGS.withDma(DmaMode.PER_FRAME), told(true));
    guest.start();
    untilAnswered(guest, 20);
    guest.close(soon());
    List<Translation> mappings = table.mappings();

    TestGuest other = closing(TestGuest.attach(memory, List.of(nic(told(true))), recorder));
    assertThat(table.mappings()).isEqualTo(mappings);
    other.start();

    rings.forEach(ring -> ring.call().signal());
    untilAnswered(other, 100);
    assertThat(other.problems()).isEmpty();
    assertThat(backEnd.record().violations()).isEmpty();
  }

  @Test
  void aDriverThatMapsNeedsAnIommu() {
    GuestNic nic =
        new GuestNic(
            model,
            rings.stream().map(RingEventfds::kick).toList(),
            List.of(controlCall, controlCall, controlCall, controlCall, controlCall),
            DeviceAccess.direct(model, memory, controlCall));

    assertThatThrownBy(
            () -> TestGuest.boot(memory, List.of(nic), SETTINGS.withDma(DmaMode.STATIC), recorder))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("nic has no IOMMU that its driver could program");
  }

  @Test
  void withoutTheFeatureADriverTellsGuestAddresses() {
    TestGuest guest =
        booted(
            SETTINGS
                .withDma(DmaMode.STATIC)
                .withWantedFeatures(
                    GuestSettings.KNOWN_FEATURES & ~NetFeature.ACCESS_PLATFORM.mask()),
            GuestIommu.of(table));

    assertThat(table.mappings()).isEmpty();
    assertThat(memory.table().contains(model.queue(0).desc(), 1)).isTrue();
    guest.close();
  }
}
