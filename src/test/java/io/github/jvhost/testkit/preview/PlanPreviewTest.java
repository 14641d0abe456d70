package io.github.jvhost.testkit.preview;

import static io.github.jvhost.vhost.plan.Configs.steps;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What would be told of devices that a real QEMU saved, and of one with several queue pairs. */
class PlanPreviewTest {
  private static final PlanPreviewMemory MEMORY = PlanPreviewMemory.of(128 << 20);
  private static final PlanPreviewBackEnd EXPLICIT = PlanPreviewBackEnd.explicit(Dialect.RFC_2023);
  private static final PlanPreviewBackEnd DPDK = PlanPreviewBackEnd.dpdk();
  private static final PlanPreviewBackEnd GENERIC = PlanPreviewBackEnd.generic();

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final int openBefore = OpenDescriptors.count();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(OpenDescriptors.count())
        .as("%s", OpenDescriptors.list())
        .isLessThanOrEqualTo(openBefore);
  }

  // ---- one state, as it is in one stream ----

  @Test
  void explicitPresetupLeavesTheBaseOfEachRingAndTheStatus() {
    PlanPreview preview = preview(null, transitional(), EXPLICIT);

    assertThat(presetup(preview))
        .containsExactly(
            "begin",
            "features",
            "status 8",
            "read status",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "base 0",
            "address 0",
            "kick 0",
            "enable 1",
            "base 1",
            "address 1",
            "kick 1",
            "end");
    assertThat(steps(preview.stopWindow())).containsExactly("base 0", "base 1", "status f");
    assertThat(preview.whyNoPresetup()).isEmpty();
    assertThat(preview.whyNotStarted()).isEmpty();
    assertThat(PlanPreviewTraffic.of(preview.stopWindow())).isEqualTo(new PlanPreviewTraffic(4, 1));
  }

  @Test
  void whatIsToldIsWhatTheStateSays() {
    PlanPreview preview = preview(null, transitional(), DPDK);

    assertThat(preview.withoutPresetup().steps())
        .extracting(PlannedStep::step)
        .contains(
            new Step.Set<>(Fact.SIZE, 0, 256),
            new Step.Set<>(Fact.BASE, 0, 79),
            new Step.Set<>(Fact.BASE, 1, 98),
            new Step.Set<>(Fact.ENABLED, 1, true));
    assertThat(preview.withoutPresetup().describe())
        .contains("ring 0 address")
        .contains("memory table not sent -> 1 region(s), 128 MiB");
  }

  @Test
  void dpdkIsToldAllButTheBaseEarly() {
    PlanPreview preview = preview(null, transitional(), DPDK);

    assertThat(presetup(preview))
        .contains("address 0", "kick 0", "call 0")
        .doesNotContain("base 0");
    assertThat(steps(preview.stopWindow())).containsExactly("base 0", "base 1", "status f");
    assertThat(steps(preview.withoutPresetup()))
        .containsExactly(
            "features",
            "status 8",
            "memory",
            "size 0",
            "call 0",
            "size 1",
            "call 1",
            "enable 0",
            "base 0",
            "address 0",
            "kick 0",
            "enable 1",
            "base 1",
            "address 1",
            "kick 1",
            "status f");
    assertThat(PlanPreviewTraffic.of(preview.stopWindow())).isEqualTo(new PlanPreviewTraffic(4, 1));
    assertThat(PlanPreviewTraffic.of(preview.withoutPresetup()))
        .as("features, memory and six steps of each ring are acknowledged, and the barrier")
        .isEqualTo(new PlanPreviewTraffic(17, 15));
  }

  @Test
  void anUnknownBackEndIsToldNothingEarlyThatCouldStartARing() {
    PlanPreview preview = preview(null, transitional(), GENERIC);

    assertThat(presetup(preview)).doesNotContain("address 0", "kick 0", "base 0");
    assertThat(steps(preview.stopWindow()))
        .containsExactly(
            "base 0", "address 0", "kick 0", "base 1", "address 1", "kick 1", "status f");
  }

  @Test
  void aLegacyDevicesRingsFollowFromOneAddress() {
    PlanPreview preview = preview(null, load("f4_booted_pc_legacy_intx.0.bin.gz", PCI), DPDK);

    assertThat(preview.withoutPresetup().steps())
        .extracting(PlannedStep::after)
        .contains(new RingAddresses(0x5720000, 0x5722000, 0x5721000), 80, 82);
  }

  @Test
  void withoutAModeEverythingIsLeftForTheWindow() {
    var off = new PlanPreviewBackEnd("off", DPDK.capabilities(), PresetupMode.OFF);

    PlanPreview preview = preview(null, transitional(), off);

    assertThat(preview.presetup()).isEmpty();
    assertThat(preview.whyNoPresetup()).isEqualTo("it is switched off");
    assertThat(steps(preview.stopWindow())).isEqualTo(steps(preview.withoutPresetup()));
  }

  // ---- two states, of which one came early ----

  @Test
  void theSameStateTwiceIsAsGoodAsOne() {
    for (PlanPreviewBackEnd backEnd : List.of(EXPLICIT, DPDK, GENERIC)) {
      PlanPreview once = preview(null, transitional(), backEnd);
      PlanPreview twice = preview(transitional(), transitional(), backEnd);

      assertThat(steps(twice.stopWindow())).isEqualTo(steps(once.stopWindow()));
      assertThat(presetup(twice)).isEqualTo(presetup(once));
    }
  }

  @Test
  void aRingThatWentOnIsToldWhereItIsNow() {
    VirtioNetState early = transitional();
    VirtioNetState running = early.withQueue(1, early.queue(1).withNext(1234));

    for (PlanPreviewBackEnd backEnd : List.of(EXPLICIT, DPDK, GENERIC)) {
      PlanPreview preview = preview(early, running, backEnd);

      assertThat(steps(preview.stopWindow()))
          .isEqualTo(steps(preview(early, early, backEnd).stopWindow()));
      assertThat(preview.stopWindow().steps())
          .extracting(PlannedStep::step)
          .contains(new Step.Set<>(Fact.BASE, 0, 79), new Step.Set<>(Fact.BASE, 1, 1234));
    }
  }

  @Test
  void queuePairsThatCameMeanwhileAreEnabled() {
    VirtioNetState early = severalPairs();
    VirtioNetState running = withPairs(early, 3);

    PlanPreview preview = preview(early, running, DPDK);

    assertThat(presetup(preview)).contains("enable 1", "disable 2", "disable 3", "disable 7");
    assertThat(steps(preview.stopWindow()))
        .containsExactly(
            "base 0",
            "base 1",
            "enable 2",
            "base 2",
            "enable 3",
            "base 3",
            "enable 4",
            "base 4",
            "enable 5",
            "base 5",
            "base 6",
            "base 7",
            "status f");
  }

  @Test
  void queuePairsThatWentMeanwhileAreDisabled() {
    VirtioNetState running = severalPairs();

    PlanPreview preview = preview(withPairs(running, 2), running, EXPLICIT);

    assertThat(steps(preview.stopWindow()))
        .containsOnlyOnce("disable 2", "disable 3")
        .doesNotContain("enable 0", "enable 1", "disable 4");
  }

  @Test
  void anotherMacAddressIsNotTheBackEndsBusiness() {
    VirtioNetState early = transitional();
    VirtioNetState running =
        early.withNet(early.net().withMac(MacAddress.parse("02:00:00:00:00:77")));

    PlanPreview preview = preview(early, running, EXPLICIT);

    assertThat(preview.stopWindow().describe())
        .isEqualTo(preview(early, early, EXPLICIT).stopWindow().describe());
  }

  @Test
  void aDriverThatCameMeanwhileGetsEverythingInTheWindow() {
    PlanPreview preview = preview(reset(transitional()), transitional(), DPDK);

    assertThat(preview.presetup()).isEmpty();
    assertThat(preview.whyNoPresetup()).isEqualTo("the driver is not ready");
    assertThat(preview.whyNotStarted()).isEmpty();
    assertThat(preview.stopWindow().isEmpty()).isFalse();
    assertThat(steps(preview.stopWindow())).isEqualTo(steps(preview.withoutPresetup()));
  }

  @Test
  void aDriverThatWentMeanwhileLeavesABackEndToStop() {
    PlanPreview preview = preview(transitional(), reset(transitional()), DPDK);

    assertThat(preview.presetup()).isPresent();
    assertThat(preview.whyNotStarted()).isEqualTo("the driver is not ready");
    assertThat(steps(preview.stopWindow())).containsExactly("status 0");
    assertThat(PlanPreviewTraffic.of(preview.stopWindow())).isEqualTo(new PlanPreviewTraffic(1, 0));
    assertThat(preview.withoutPresetup().isEmpty()).isTrue();
  }

  @Test
  void anEarlyStateOfAnotherDeviceIsNoReasonToFail() {
    PlanPreview preview = preview(severalPairs(), transitional(), DPDK);

    assertThat(preview.presetup()).isEmpty();
    assertThat(preview.whyNoPresetup())
        .isEqualTo("the earlier state has 4 queue pairs, the later one has 1");
    assertThat(
            preview(withFeatures(transitional(), NetFeature.HOST_USO.mask()), transitional(), DPDK)
                .whyNoPresetup())
        .isEqualTo(
            "the earlier state has features that no device at a DPDK back end has: HOST_USO");
    VirtioNetState onMmio =
        VirtioNet.builder("net0").transport(TransportState.Mmio.create(true)).build().snapshot();
    assertThat(preview(onMmio, transitional(), DPDK).whyNoPresetup())
        .isEqualTo(
            "the earlier state is of a device on modern mmio, the later one of a device on modern"
                + " pci (256 bytes of config space, 4 MSI-X vectors)");
    assertThat(steps(preview.stopWindow())).contains("status f");
  }

  // ---- devices of which nothing is told ----

  @Test
  void ofAPausedDeviceNothingIsTold() {
    VirtioNetState paused = load("g_microvm_mmio.0.bin.gz", SectionShape.mmio(1));

    for (PlanPreviewBackEnd backEnd : List.of(EXPLICIT, DPDK, GENERIC)) {
      PlanPreview preview = preview(null, paused, backEnd);

      assertThat(preview.presetup()).isEmpty();
      assertThat(preview.whyNoPresetup()).isEqualTo("the driver is not ready");
      assertThat(preview.whyNotStarted()).isEqualTo("the driver is not ready");
      assertThat(preview.stopWindow().isEmpty()).isTrue();
      assertThat(preview.withoutPresetup().isEmpty()).isTrue();
      assertThat(PlanPreviewTraffic.of(preview.stopWindow()))
          .isEqualTo(new PlanPreviewTraffic(0, 0));
    }
  }

  @Test
  void aLinkThatIsDownSaysSo() {
    VirtioNetState state = transitional();

    PlanPreview preview = preview(null, state.withNet(state.net().withStatus(0)), DPDK);

    assertThat(preview.whyNoPresetup()).isEqualTo("the link is down");
    assertThat(preview.whyNotStarted()).isEqualTo("the link is down");
    assertThat(preview.stopWindow().isEmpty()).isTrue();
  }

  @Test
  void aDeviceWithoutRingsIsNotPreset() {
    VirtioNetState state = withRings(transitional(), 256, 0);

    for (PlanPreviewBackEnd backEnd : List.of(DPDK, PlanPreviewBackEnd.vdpa(true))) {
      PlanPreview preview = preview(null, PlanPreviewState.of(state, backEnd).state(), backEnd);

      assertThat(preview.whyNoPresetup()).isEqualTo("the driver has set up no ring");
      assertThat(preview.whyNotStarted()).isEmpty();
    }
  }

  @Test
  void ringsThatTheDeviceCannotHaveAreRefused() {
    PlanPreviewBackEnd vdpa = PlanPreviewBackEnd.vdpa(false);
    VirtioNetState state = PlanPreviewState.of(transitional(), vdpa).state();

    assertThatThrownBy(() -> preview(null, withRings(state, 1024, 0x100000), vdpa))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("ring 0 has up to 1024 entries, the back end takes 256 at most")
        .hasMessageContaining("rx_queue_size");
  }

  /** The same with the data rings at one place, or nowhere. */
  private static VirtioNetState withRings(VirtioNetState state, int size, long at) {
    List<SavedQueue> queues = new ArrayList<>(state.queues());
    for (int i = 0; i < 2; i++) {
      SavedQueue q = queues.get(i);
      queues.set(
          i,
          new SavedQueue(
              size,
              size,
              q.align(),
              at,
              at == 0 ? 0 : q.next(),
              q.vector(),
              at,
              at,
              q.packed(),
              q.proxy()));
    }
    return new VirtioNetState(
        state.offer(), state.transport(), state.common(), state.net(), queues);
  }

  @Test
  void aBrokenDeviceIsNotStarted() {
    CommonState c = transitional().common();
    PlanPreview preview =
        preview(
            null,
            transitional()
                .withCommon(
                    new CommonState(
                        c.status(),
                        c.isr(),
                        c.queueSelect(),
                        c.features(),
                        c.featuresHigh(),
                        c.config(),
                        c.endian(),
                        true,
                        c.started(),
                        c.disabled())),
            GENERIC);

    assertThat(preview.whyNotStarted()).isEqualTo("the driver has broken the device");
    assertThat(preview.withoutPresetup().isEmpty()).isTrue();
  }

  @Test
  void aDeviceBehindAVirtualIommuIsNotServed() {
    VirtioNetState behind = withFeatures(transitional(), NetFeature.ACCESS_PLATFORM.mask());

    for (PlanPreviewBackEnd backEnd : List.of(EXPLICIT, DPDK, GENERIC)) {
      assertThatThrownBy(() -> preview(null, behind, backEnd))
          .isInstanceOf(VhostException.class)
          .hasMessageStartingWith(
              "net0: its driver uses ACCESS_PLATFORM (a virtual IOMMU), and no plan can be shown");
    }
    assertThat(preview(behind, transitional(), GENERIC).whyNoPresetup())
        .as("before the guest was rebooted")
        .isEqualTo("the device is behind a vIOMMU");
  }

  // ---- what does not fit ----

  @Test
  void ringsOutsideOfMemoryAreNamedWithTheMemoryThatWasAssumed() {
    PlanPreviewMemory small = PlanPreviewMemory.of(64 << 20);

    assertThatThrownBy(() -> preview(null, transitional(), DPDK, small))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessage(
            "net0: ring 0 lies outside of guest memory: guest address 0x571a000, 4096 bytes, is"
                + " not within one memory region; it was taken to be 64 MiB at 0x0..0x3ffffff");
  }

  @Test
  void whatTheBackEndLacksIsNamed() {
    VirtioNetState state = withFeatures(transitional(), NetFeature.HOST_UFO.mask());
    VirtioNetState lost = withFeatures(state, NetFeature.HOST_USO.mask());

    assertThat(preview(null, state, DPDK).presetup()).isPresent();
    assertThatThrownBy(() -> preview(null, lost, DPDK))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: a DPDK back end lacks features that the driver uses: HOST_USO");
  }

  @Test
  void moreQueuePairsThanTheBackEndServesAreNamed() {
    BackEndCapabilities can = DPDK.capabilities();
    var small =
        new PlanPreviewBackEnd(
            "small",
            new BackEndCapabilities(
                can.features(), can.protocolFeatures(), 2, can.dialect(), can.profile()),
            PresetupMode.IMPLICIT);

    assertThatThrownBy(() -> preview(null, severalPairs(), small))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: the device has 4 queue pairs, a small back end serves 2");
  }

  @Test
  void featuresThatNoDeviceOfThisLibraryHasAreNamed() {
    VirtioNetState state = withFeatures(transitional(), NetFeature.HASH_REPORT.mask());

    assertThatThrownBy(() -> preview(null, state, GENERIC))
        .isInstanceOf(VhostException.class)
        .hasMessage("net0: the driver uses features that the device does not have: HASH_REPORT");
  }

  @Test
  void explicitPresetupNeedsADialectThatHasIt() {
    assertThatThrownBy(() -> PlanPreviewBackEnd.explicit(Dialect.UPSTREAM))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("explicit has no PRESETUP");
  }

  // ---- states ----

  private static final SectionShape PCI = SectionShape.pci(1, 256);

  private static VirtioNetState transitional() {
    return load("f_booted_q35_q1_vlan_mac.0.bin.gz", PCI);
  }

  private static VirtioNetState load(String name, SectionShape shape) {
    try (InputStream in = PlanPreviewTest.class.getResourceAsStream("/vmstate/" + name)) {
      if (in == null) {
        throw new IllegalStateException("no fixture " + name);
      }
      byte[] body =
          name.endsWith(".gz") ? new GZIPInputStream(in).readAllBytes() : in.readAllBytes();
      return VirtioNetVmState.decode(ByteBuffer.wrap(body), shape);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Four queue pairs, of which one is in use. */
  private static VirtioNetState severalPairs() {
    long features = VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask();
    VirtioNet device = VirtioNet.builder("net0").maxQueuePairs(4).build();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    device.setStatus(driver);
    device.setDriverFeatures(features);
    device.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int i = 0; i < device.queueCount(); i++) {
      long at = (i + 1L) << 20;
      device.configureQueue(i, 64, at, at + 0x1000, at + 0x2000);
    }
    device.setStatus(DeviceStatus.RUNNING);
    return device.snapshot();
  }

  private static VirtioNetState withPairs(VirtioNetState state, int pairs) {
    return state.withNet(state.net().withQueuePairs(pairs));
  }

  /** The driver has acknowledged these, too. */
  private static VirtioNetState withFeatures(VirtioNetState state, long more) {
    return state.withCommon(state.common().withFeatures(state.common().features() | more, 0));
  }

  /** The device as a driver leaves it that goes. */
  private static VirtioNetState reset(VirtioNetState state) {
    VirtioNet device =
        VirtioNet.builder("net0")
            .deviceFeatures(state.common().features())
            .transport(state.transport().reset())
            .build();
    return device.snapshot();
  }

  private PlanPreview preview(
      @Nullable VirtioNetState early, VirtioNetState running, PlanPreviewBackEnd backEnd) {
    return preview(early, running, backEnd, MEMORY);
  }

  private PlanPreview preview(
      @Nullable VirtioNetState early,
      VirtioNetState running,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory layout) {
    try (GuestMemory memory = layout.allocate(ledger)) {
      return PlanPreview.of("net0", early, running, backEnd, memory, ledger);
    }
  }

  private static List<String> presetup(PlanPreview preview) {
    return steps(preview.presetup().orElseThrow());
  }
}
