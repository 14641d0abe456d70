package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The rings of a device behind an IOMMU, and what fits behind one. */
class BehindIommuTest extends IommuRig {
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

  /** A guest that unmaps a ring while its device starts. */
  @Test
  void aRingThatIsUnmappedBetweenTwoLooksIsNotStarted() {
    mapRings();
    long used = iova(3) + 0x4000;
    var looks = new AtomicInteger();
    VhostNet net =
        connect((iova, access) ->
            Long.compareUnsigned(iova - used, PAGE) < 0 && looks.incrementAndGet() > 1
                ? Optional.empty()
                : iommu.translate(iova, access));
    drive(net);

    net.start();

    assertThat(looks).hasValueGreaterThan(1);
    assertThat(net.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STOPPED);
    assertThat(net.shadow().ring(2).run()).isEqualTo(RingShadow.Run.STARTED);
    looks.set(Integer.MIN_VALUE);
    net.iotlbMapped(used, PAGE);
    assertThat(net.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STARTED);
    rig.noRuleWasBroken();
  }

  /** Whichever look it is between two of which the guest unmaps the ring. */
  @Test
  void aRingThatIsUnmappedAtAnyMomentCostsNoConnection() {
    long used = iova(3) + 0x4000;
    var left = new AtomicInteger(Integer.MAX_VALUE);
    VhostNet net =
        connect((iova, access) ->
            Long.compareUnsigned(iova - used, PAGE) < 0 && left.getAndDecrement() <= 0
                ? Optional.empty()
                : iommu.translate(iova, access));
    mapRings();
    drive(net);
    net.start();
    for (int looks = 0; looks < 20; looks++) {
      left.set(looks);
      net.iotlbInvalidate(used, PAGE);
      assertThat(net.running()).as("after %d looks", looks).isTrue();

      left.set(looks);
      net.iotlbMapped(used, PAGE);
      assertThat(net.running()).as("mapped for %d looks", looks).isTrue();

      left.set(looks);
      assertThat(net.stop().complete()).as("stopped after %d looks", looks).isTrue();
      net.restore(net.snapshot());
      left.set(looks);
      net.start();
      assertThat(net.running()).as("started after %d looks", looks).isTrue();

      left.set(Integer.MAX_VALUE);
      net.iotlbMapped(used, PAGE);
      assertThat(net.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STARTED);
    }
    rig.noRuleWasBroken();
  }

  /** More than can be remembered. The next connection begins with nothing, and asks again. */
  @Test
  void aBackEndThatAsksForTooMuchIsCutOffAndComesBack() throws Exception {
    VhostNet net = running();
    var lost = new CompletableFuture<VhostException>();
    var recovered = new CompletableFuture<Boolean>();
    var listener =
        new BackEndWatch.Listener() {
          @Override
          public void lost(VhostNet device, VhostException why) {
            lost.complete(why);
          }

          @Override
          public void recovered(VhostNet device, int attempts, boolean running) {
            recovered.complete(running);
          }
        };
    try (var watch = BackEndWatch.start(rig.ledger, listener)) {
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));
      for (int i = 0; i < DeviceTranslations.MOST_WAITING; i++) {
        long iova = (1L << 50) + i * PAGE;
        var miss = new Iotlb(iova, 0, 0, Access.READ.bits(), Iotlb.MISS);
        var _ = rig.backEnd().askFrontEnd(BackEndRequest.IOTLB_MSG, miss, List.of(), false);
      }
      ask(1L << 49, Access.READ);

      assertThat(lost.get(20, TimeUnit.SECONDS))
          .hasMessageContaining("has asked for more than 65536 addresses");
      assertThat(recovered.get(20, TimeUnit.SECONDS)).as("running").isTrue();
      watch.unwatch(net);
    }
    rig.noRuleWasBroken();
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

  /** By the specification: no back end was found that offers it. */
  @Test
  void withGuestAddressesATranslationLeadsToOne() {
    rig.replaceBackEnd(
        BackEndOffer.of(Personality.DPDK)
            .withIotlb(IotlbModel.DPDK)
            .with(ProtocolFeature.GPA_ADDRESSES));
    VhostNet net =
        connect(iommu, rig.options(0, Duration.ofSeconds(10)).with(ProtocolFeature.GPA_ADDRESSES));
    mapRings();
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
