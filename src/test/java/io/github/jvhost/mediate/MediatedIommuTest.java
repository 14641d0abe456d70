package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A front end whose guest has an IOMMU, at a mediator before a switch that knows of those. */
class MediatedIommuTest {
  private static final long PAGE = 4096;
  private static final long BUFFER = 0x9000_0000L;

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final IommuTable iommu = new IommuTable();
  private MockBackEnd theSwitch;
  private GuestMemory memory;
  private List<RingEventfds> eventfds;

  @BeforeEach
  void start() {
    theSwitch =
        MockBackEnd.builder(directory.resolve("switch"), ledger)
            .offer(BackEndOffer.of(Personality.DPDK).withIotlb(IotlbModel.DPDK))
            .start();
    memory = GuestMemory.builder(ledger).region("ram", 0, 4 << 20).build();
    eventfds = RingEventfds.create(ledger, "net0", 2);
  }

  @AfterEach
  void nothingIsLeft() {
    eventfds.forEach(RingEventfds::close);
    memory.close();
    theSwitch.close();
    assertThat(theSwitch.record().violations()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private VhostNet connect() {
    return VhostNet.connect(
        VirtioNet.builder("net0")
            .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.ACCESS_PLATFORM.mask())
            .build(),
        new DeviceMemory(memory, iommu),
        eventfds,
        VhostDeviceOptions.of(
            "net0", directory.resolve("net0"), Dialect.UPSTREAM, BackEndProfile.DPDK, ledger));
  }

  private static void drive(VhostNet net) {
    VirtioNet model = net.model();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    model.setStatus(driver);
    model.setDriverFeatures(NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.ACCESS_PLATFORM));
    model.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int ring = 0; ring < 2; ring++) {
      long at = 0x8000_0000L + ring * 4L * PAGE;
      model.configureQueue(ring, 256, at, at + PAGE, at + 2 * PAGE);
    }
    model.setStatus(DeviceStatus.RUNNING);
  }

  @Test
  void passedOnItsTranslationsReachTheSwitchAndTheSwitchAsks() {
    var passed = new PassedDevice("net0", directory.resolve("net0"), directory.resolve("switch"));
    iommu.map(0x8000_0000L, 0x10000, 8 * PAGE, Access.READ_WRITE);
    try (var mediator =
            Mediator.start(MediatorOptions.of(List.of()).withPassed(List.of(passed)), ledger);
        var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE);
        VhostNet net = connect()) {
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      drive(net);
      net.start();
      iommu.map(BUFFER, 0x200000, PAGE, Access.READ);
      var _ =
          theSwitch.askFrontEnd(
              BackEndRequest.IOTLB_MSG, new Iotlb(BUFFER, 0, 0, 1, Iotlb.MISS), List.of(), false);

      Wait.until(() -> holdsTheBuffer());
      iommu.unmap(BUFFER, PAGE);
      net.iotlbInvalidate(BUFFER, PAGE);

      assertThat(holdsTheBuffer()).isFalse();
      assertThat(net.running()).isTrue();
      assertThat(mediator.status().getFirst().state()).isEqualTo("PASS_THROUGH");
      watch.unwatch(net);
    }
  }

  private boolean holdsTheBuffer() {
    return theSwitch.translations(0).stream().anyMatch(held -> held.iova() == BUFFER);
  }

  @Test
  void otherwiseItIsNotOfferedWhatItNeeds() {
    NicOptions nic =
        NicOptions.of(
            "net0",
            new FrontEndAddress.Listen(directory.resolve("net0")),
            new BackEndAddress.Socket(directory.resolve("switch")),
            BackEndProfile.DPDK);
    try (var _ = Mediator.start(MediatorOptions.of(List.of(nic)), ledger)) {
      assertThatThrownBy(this::connect)
          .isInstanceOf(VhostException.class)
          .hasMessage(
              "net0: the back end is of no use: it cannot serve a device behind an IOMMU"
                  + " (ACCESS_PLATFORM, BACKEND_REQ and REPLY_ACK)");
    }
  }
}
