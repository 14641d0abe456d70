package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device whose rings are at I/O virtual addresses, at a back end that keeps translations as DPDK
 * does.
 *
 * <pre>
 *   ring r: three pages with gaps at 0x8000_0000 + r x 1 MiB: descriptors, + 0x2000 available,
 *           + 0x4000 used, in guest memory at 64 KiB x (r + 1): used, descriptors, available
 * </pre>
 */
class BehindIommuTest {
  private static final long PAGE = 4096;

  @TempDir private Path dir;

  private final IommuTable iommu = new IommuTable();
  private Rig rig;

  @BeforeEach
  void start() {
    rig =
        new Rig(
            dir,
            0,
            BackEndOffer.of(Personality.DPDK).withIotlb(IotlbModel.DPDK),
            BackEndProfile.DPDK);
    rig.addBackEnd(Faults.none());
  }

  @AfterEach
  void close() {
    rig.close();
  }

  private static long iova(int ring) {
    return 0x8000_0000L + ((long) ring << 20);
  }

  private static long guest(int ring) {
    return 0x10000L * (ring + 1);
  }

  private void map(int ring) {
    iommu.map(iova(ring), guest(ring) + PAGE, PAGE, Access.READ);
    iommu.map(iova(ring) + 0x2000, guest(ring) + 2 * PAGE, PAGE, Access.READ);
    iommu.map(iova(ring) + 0x4000, guest(ring), PAGE, Access.READ_WRITE);
  }

  private static VirtioNet model() {
    return VirtioNet.builder("net0")
        .maxQueuePairs(Rig.PAIRS)
        .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.ACCESS_PLATFORM.mask())
        .build();
  }

  private VhostNet connect(Iommu behind) {
    return connect(behind, rig.options(0, Duration.ofSeconds(10)));
  }

  private VhostNet connect(Iommu behind, VhostDeviceOptions options) {
    VhostNet net =
        VhostNet.connect(
            model(), new DeviceMemory(rig.memory, behind), rig.eventfds.getFirst(), options);
    rig.nets.add(net);
    return net;
  }

  /** The driver sets its rings up. */
  private static void drive(VhostNet net) {
    Rig.negotiate(net.model());
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      long at = iova(ring);
      net.model().configureQueue(ring, 256, at, at + 0x2000, at + 0x4000);
    }
    net.model().setStatus(0xf);
  }

  private VhostNet running() {
    VhostNet net = connect(iommu);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    net.start();
    return net;
  }

  private long updates() {
    return rig.backEnd().record().iotlb().updates();
  }

  // ---- rings ----

  @Test
  void ringsAreToldBeforeTheyAreAskedFor() {
    VhostNet net = running();

    assertThat(net.running()).isTrue();
    assertThat(rig.backEnd().record().iotlb().misses()).isEmpty();
    assertThat(updates()).as("three areas of each ring").isEqualTo(3 * Rig.RINGS);
    assertThat(rig.backEnd().record().iotlb().ignored()).isZero();
    rig.noRuleWasBroken();
  }

  @Test
  void aRingStartsWhenTheGuestMapsIt() {
    VhostNet net = connect(iommu);
    map(0);
    map(1);
    map(2);
    drive(net);
    net.start();
    assertThat(net.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STOPPED);

    map(3);
    net.iotlbMapped(iova(3), 3 * 0x2000);

    assertThat(net.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STARTED);
    assertThat(net.running()).isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void aRingWhoseMemoryIsApartIsNotServedByABackEndThatTakesItForOnePiece() {
    VhostNet net = connect(iommu);
    drive(net);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    net.model().configureQueue(0, 256, 0xa000_0800L, 0xa010_0000L, 0xa020_0000L);
    iommu.map(0xa000_0000L, 0x100000, PAGE, Access.READ);
    iommu.map(0xa000_1000L, 0x180000, PAGE, Access.READ);
    iommu.map(0xa010_0000L, 0x190000, PAGE, Access.READ);
    iommu.map(0xa020_0000L, 0x1a0000, 2 * PAGE, Access.READ_WRITE);

    assertThatThrownBy(net::start)
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith(
            "net0: ring 0 cannot be served by this back end: its memory is apart at I/O virtual"
                + " address 0xa0001000");
  }

  /** Two pages that adjoin only in I/O virtual addresses. */
  private void mapApart() {
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    iommu.map(0x9000_1000L, 0x300000, PAGE, Access.READ_WRITE);
  }

  @Test
  void buffersWhoseMemoryIsApartAreRefusedAtTheStartWhereTheOptionsSaySo() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofSeconds(10)).refusingApartMemory());
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    mapApart();
    net.iotlbUpdate(0x9000_0000L, 2 * PAGE);

    assertThatThrownBy(net::start)
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageStartingWith(
            "net0 is not started: the I/O virtual addresses up to 0x90001000 and from there on"
                + " lead to memory that is apart");
    assertThat(updates()).as("nothing was told").isZero();

    iommu.unmap(0x9000_1000L, PAGE);
    net.start();
    assertThat(net.running()).isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void otherwiseTheyAreCounted() {
    VhostNet net = running();
    mapApart();
    net.iotlbUpdate(0x9000_0000L, 2 * PAGE);

    assertThat(net.iotlb()).isEqualTo(new IotlbStatus(3 * Rig.RINGS + 2, 2 * Rig.RINGS, 1, 0));
  }

  @Test
  void aRingWhoseMemoryIsApartIsNotServedAfterPresetupEither() {
    VhostNet net = connect(iommu);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    iommu.unmap(iova(0) + 0x4000, PAGE);
    iommu.map(iova(0) + 0x4000, guest(0), 0x400, Access.READ_WRITE);
    iommu.map(iova(0) + 0x4400, guest(0) + 3 * PAGE, 0x406, Access.READ_WRITE);
    net.migration()
        .expectTranslations(
            iommu.mappings().stream()
                .map(t ->
                    new Translation(
                        t.iova(),
                        t.guestAddress(),
                        Math.min(t.length(), used(t)),
                        Access.READ_WRITE))
                .toList());
    rig.presetup(PresetupMode.IMPLICIT);
    assertThat(net.migration().prepareStart(net.snapshot())).isTrue();

    assertThatThrownBy(() -> VhostNetGroup.start(List.of(net), StartOrder.PLANNED))
        .hasMessageContaining("ring 0 cannot be served by this back end");
  }

  // ---- what the guest changes ----

  @Test
  void whatIsStillMappedStaysWhenAllIsInvalidated() {
    VhostNet net = running();
    int before = rig.backEnd().record().messages().size();

    net.iotlbInvalidate(0, -1);

    assertThat(rig.backEnd().record().messages())
        .as("a flush of the whole domain, in which the guest has unmapped nothing")
        .hasSize(before);
    assertThat(net.running()).isTrue();
  }

  @Test
  void anInvalidationIsAcknowledgedAndEachRingIsWaitedFor() {
    VhostNet net = running();
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    net.iotlbUpdate(0x9000_0000L, PAGE);
    int mark = rig.backEnd().record().messages().size();

    iommu.unmap(0x9000_0000L, PAGE);
    net.iotlbInvalidate(0x9000_0000L, PAGE);

    List<RecordedMessage> sent = rig.backEnd().record().messages();
    assertThat(Rig.marked(sent.subList(mark, sent.size())))
        .containsExactly(
            "IOTLB_MSG!",
            "SET_VRING_ENABLE!",
            "SET_VRING_ENABLE!",
            "SET_VRING_ENABLE!",
            "SET_VRING_ENABLE!",
            "GET_STATUS");
    assertThat(net.shadow().mayHoldTranslations(0x9000_0000L, 0x9000_0fffL)).isFalse();
    rig.noRuleWasBroken();
  }

  /**
   * A plan withdraws the oldest, and waits for that. Otherwise a page could be unmapped, and given
   * away, of which the back end has not heard yet.
   */
  @Test
  void whatGoesForWantOfRoomIsGoneBeforeItIsUnmapped() {
    VhostNet net = running();
    int pages = DeviceTranslations.MOST + 100;
    long step = 2 * PAGE;
    try (var watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      for (int i = 0; i < pages; i++) {
        long iova = 0x9000_0000L + i * step;
        iommu.map(iova, 0x200000, PAGE, Access.READ);
        var _ =
            rig.backEnd()
                .askFrontEnd(
                    BackEndRequest.IOTLB_MSG,
                    new Iotlb(iova, 0, 0, 1, Iotlb.MISS),
                    List.of(),
                    false);
      }
      Deadline soon = Rig.soon();
      while (updates() < 3 * Rig.RINGS + pages) {
        assertThat(soon.expired()).as("each is told: %s", net.iotlb()).isFalse();
        LockSupport.parkNanos(100_000);
      }
      iommu.unmap(0x9000_0000L, PAGE);
      net.iotlbInvalidate(0x9000_0000L, PAGE);

      assertThat(rig.backEnd().translations(0)).noneMatch(held -> held.iova() == 0x9000_0000L);
      assertThat(net.iotlb().told()).isLessThanOrEqualTo(DeviceTranslations.MOST + 3 * Rig.RINGS);
      assertThat(Rig.marked(rig.backEnd().record().messages()))
          .as("an invalidation and its barrier")
          .containsSubsequence("IOTLB_MSG!", "SET_VRING_ENABLE!");
      watch.unwatch(net);
    }
    rig.noRuleWasBroken();
  }

  @Test
  void aRingWhoseTranslationChangesIsToldTheNewOne() {
    VhostNet net = running();
    iommu.unmap(iova(1) + 0x4000, PAGE);
    iommu.map(iova(1) + 0x4000, 0x300000, PAGE, Access.READ_WRITE);

    net.iotlbInvalidate(iova(1) + 0x4000, PAGE);

    assertThat(net.migration().translations())
        .contains(new Translation(iova(1) + 0x4000, 0x300000, 6 + 8 * 256, Access.READ_WRITE));
    rig.noRuleWasBroken();
  }

  @Test
  void whatWasUnmappedInARunningRingStopsIt() {
    VhostNet net = running();
    iommu.unmap(iova(1), PAGE);

    net.iotlbInvalidate(iova(1), PAGE);

    assertThat(net.shadow().ring(1).run()).isEqualTo(RingShadow.Run.STOPPED);
    assertThat(net.shadow().mayHoldTranslations(iova(1), iova(1) + PAGE - 1)).isFalse();
  }

  private void ask(long iova, Access access) throws Exception {
    rig.backEnd()
        .askFrontEnd(
            BackEndRequest.IOTLB_MSG,
            new Iotlb(iova, 0, 0, access.bits(), Iotlb.MISS),
            List.of(),
            true)
        .get(10, TimeUnit.SECONDS);
  }

  /** The guest has mapped a page, and the back end asks again before the VMM says so. */
  @Test
  void aMissBetweenTheMappingAndItsAnnouncementCountsOnce() throws Exception {
    VhostNet net = running();
    try (var watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      ask(0x9000_0234L, Access.WRITE);
      iommu.map(0x9000_1000L, 0x201000, PAGE, Access.READ_WRITE);
      net.iotlbUpdate(0x9000_1000L, PAGE);
      iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
      ask(0x9000_0010L, Access.WRITE);

      net.iotlbMapped(0x9000_0000L, PAGE);

      assertThat(rig.backEnd().translations(0)).anyMatch(t -> t.iova() == 0x9000_0000L);
      watch.unwatch(net);
    }
  }

  @Test
  void aBackEndThatWasCutOffMakesEachInvalidationFail() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofMillis(500)));
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    net.start();
    iommu.map(0x9000_0000L, 0x200000, 2 * PAGE, Access.READ_WRITE);
    net.iotlbUpdate(0x9000_0000L, 2 * PAGE);
    rig.backEnd()
        .arm(Faults.none().atEvery(FrontEndRequest.IOTLB_MSG, new Faults.Wrong.NeverAnswers()));
    iommu.unmap(0x9000_0000L, 2 * PAGE);

    assertThatThrownBy(() -> net.iotlbInvalidate(0x9000_0000L, PAGE))
        .isInstanceOf(VhostException.class);
    assertThatThrownBy(() -> net.iotlbInvalidate(0x9000_1000L, PAGE))
        .as("the same process holds this page")
        .hasMessageContaining("may still use this memory");
  }

  @Test
  void aRingAcrossTheEndOfAllAddressesCostsNoPresetup() {
    VhostNet net = connect(iommu);
    Rig.negotiate(net.model());
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
      long at = iova(ring);
      net.model().configureQueue(ring, 256, ring == 0 ? -0x800L : at, at + 0x2000, at + 0x4000);
    }
    net.model().setStatus(DeviceStatus.RUNNING);

    assertThat(net.desiredConfig(false).rings()).isNotEmpty();
  }

  @Test
  void anotherBackEndIsToldEverythingAnew() {
    VhostNet net = running();
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    net.iotlbUpdate(0x9000_0000L, PAGE);
    long before = updates();

    assertThat(net.reconnect().complete()).isTrue();

    assertThat(updates() - before).isEqualTo(3 * Rig.RINGS + 1);
    rig.noRuleWasBroken();
  }

  @Test
  void aDriverThatResetsItsDeviceHasAskedForNothing() {
    VhostNet net = running();
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    net.iotlbUpdate(0x9000_0000L, PAGE);

    net.access(() -> net.model().setStatus(0));
    drive(net);
    net.start();

    assertThat(net.shadow().mayHoldTranslations(0x9000_0000L, 0x9000_0fffL)).isFalse();
    rig.noRuleWasBroken();
  }

  // ---- migration ----

  @Test
  void whatTheSourceToldIsToldEarlyAndNotInTheWindow() {
    VhostNet net = connect(iommu);
    drive(net);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    iommu.map(0x9000_0000L, 0x200000, 4 * PAGE, Access.READ_WRITE);
    IommuTable source = new IommuTable(iommu);
    net.migration().expectTranslations(toldAt(source));
    iommu.unmap(0, -1); // this host's IOMMU has not got its state yet

    assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
    long early = updates();
    assertThat(early).isEqualTo(3 * Rig.RINGS + 1);

    source.mappings().forEach(iommu::map);
    net.start();

    assertThat(updates()).as("nothing more in the window").isEqualTo(early);
    assertThat(rig.backEnd().record().iotlb().invalidations()).isZero();
    assertThat(rig.backEnd().record().iotlb().misses()).isEmpty();
    rig.noRuleWasBroken();
  }

  /** The IOMMU knows nothing yet, and the code has to be warm all the same. */
  @Test
  void theWindowIsRehearsedWithWhatTheSourceTold() {
    VhostNet net = connect(iommu);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    VirtioNetState state = net.snapshot();
    net.migration().expectTranslations(toldAt(iommu));
    iommu.unmap(0, -1);

    try (RehearsalDevice copy = net.migration().rehearsal(Rig.soon())) {
      copy.preset(PresetupMode.IMPLICIT, state);
      copy.prepareStart(state);
      for (boolean changed : new boolean[] {false, true, false}) {
        copy.rewind(changed);
        copy.net().restore(state);
        List<StartResult> started = VhostNetGroup.start(List.of(copy.net()), StartOrder.PLANNED);

        assertThat(started).singleElement().matches(StartResult::running);
        assertThat(started.getFirst().plan().steps())
            .as("what was told early is not told again")
            .noneMatch(step -> step.step() instanceof Step.Translate)
            .filteredOn(step -> step.step() instanceof Step.Set<?> set && set.fact() == Fact.BASE)
            .hasSize(Rig.RINGS);
      }
    }
    assertThat(updates()).as("the device's own back end").isZero();
  }

  @Test
  void aWindowWithoutHintsIsRehearsedToo() {
    VhostNet net = connect(iommu);
    drive(net);
    VirtioNetState state = net.snapshot();

    try (RehearsalDevice copy = net.migration().rehearsal(Rig.soon())) {
      copy.net().restore(state);
      assertThat(VhostNetGroup.start(List.of(copy.net()), StartOrder.PLANNED))
          .singleElement()
          .matches(StartResult::running);
      assertThat(copy.net().shadow().ring(Rig.RINGS - 1).run()).isEqualTo(RingShadow.Run.STARTED);
    }
  }

  /** What a source that has these mappings tells: its rings' areas, and one buffer. */
  private static List<Translation> toldAt(IommuTable mappings) {
    return mappings.mappings().stream()
        .map(t -> new Translation(t.iova(), t.guestAddress(), used(t), Access.READ_WRITE))
        .toList();
  }

  private static long used(Translation t) {
    return switch ((int) (t.iova() & 0xfffff)) {
      case 0x2000 -> 6 + 2 * 256;
      case 0x4000 -> 6 + 8 * 256;
      default -> t.length();
    };
  }

  @Test
  void aWrongHintIsWithdrawnInTheWindow() {
    VhostNet net = connect(iommu);
    drive(net);
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    net.migration()
        .expectTranslations(
            List.of(new Translation(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE)));
    rig.presetup(PresetupMode.IMPLICIT);

    net.start();

    assertThat(rig.backEnd().record().iotlb().invalidations()).isEqualTo(1);
    assertThat(net.shadow().mayHoldTranslations(0x9000_0000L, 0x9000_0fffL)).isFalse();
    rig.noRuleWasBroken();
  }

  // ---- back ends and models that do not fit ----

  /** By the specification: no back end was found that offers it. */
  @Test
  void withGuestAddressesATranslationLeadsToOne() {
    rig.replaceBackEnd(
        BackEndOffer.of(Personality.DPDK)
            .withIotlb(IotlbModel.DPDK)
            .with(ProtocolFeature.GPA_ADDRESSES));
    VhostNet net =
        connect(iommu, rig.options(0, Duration.ofSeconds(10)).with(ProtocolFeature.GPA_ADDRESSES));
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
    drive(net);
    net.start();
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    net.iotlbUpdate(0x9000_0000L, PAGE);

    assertThat(net.capabilities().usesGuestAddresses()).isTrue();
    assertThat(rig.backEnd().translations(0))
        .contains(new Iotlb(0x9000_0000L, PAGE, 0x200000, 3, Iotlb.UPDATE))
        .anySatisfy(held -> {
          assertThat(held.iova()).isEqualTo(iova(0));
          assertThat(held.userAddress()).isEqualTo(guest(0) + PAGE);
        });
    assertThat(rig.backEnd().record().iotlb().misses()).isEmpty();

    iommu.unmap(0x9000_0000L, PAGE);
    net.iotlbInvalidate(0x9000_0000L, PAGE);
    assertThat(rig.backEnd().translations(0)).noneMatch(held -> held.iova() == 0x9000_0000L);
    rig.noRuleWasBroken();
  }

  @Test
  void aBackEndThatKnowsNoIommuIsRefusedAtOnce() {
    rig.replaceBackEnd(BackEndOffer.of(Personality.DPDK));

    assertThatThrownBy(() -> connect(iommu))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessage(
            "net0: the back end is of no use: it cannot serve a device behind an IOMMU"
                + " (ACCESS_PLATFORM, BACKEND_REQ and REPLY_ACK)");
    assertThat(rig.backEnd().record().count(FrontEndRequest.SET_FEATURES)).isZero();
  }

  @Test
  void aBackEndHearsNothingOfAnIommuThatIsNotThere() {
    rig.replaceBackEnd(BackEndOffer.of(Personality.DPDK));
    VhostNet net = connect(Iommu.NONE);
    assertThat(NetFeature.ACCESS_PLATFORM.in(net.model().deviceFeatures())).isTrue();
    Rig.drive(net, 0);
    net.start();

    assertThat(Objects.requireNonNull(net.shadow().get(Fact.FEATURES).orNull()))
        .matches(features -> (features & VhostFeature.IOMMU_PLATFORM) == 0);
    assertThat(rig.backEnd().record().count(FrontEndRequest.IOTLB_MSG)).isZero();
    rig.noRuleWasBroken();
  }
}
