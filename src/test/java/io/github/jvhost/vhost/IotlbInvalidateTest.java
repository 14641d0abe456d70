package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.RingShadow;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The guest of a running device changes its mappings. */
class IotlbInvalidateTest extends IommuRig {
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

  /** Each signal interrupts the guest, and a strict guest invalidates with each frame. */
  @Test
  void noRingIsSignalledForABuffer() {
    VhostNet net = running();
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    drainSignals();

    net.iotlbUpdate(0x9000_0000L, PAGE);
    iommu.unmap(0x9000_0000L, PAGE);
    net.iotlbInvalidate(0x9000_0000L, PAGE);

    assertThat(drainSignals()).containsOnly(0L);
    rig.noRuleWasBroken();
  }

  /** While it is not there the back end may have missed a kick. */
  @Test
  void aRingThatIsTranslatedAnewIsSignalled() {
    VhostNet net = running();
    drainSignals();

    long used = iova(3) + 0x4000;
    iommu.unmap(used, PAGE);
    iommu.map(used, guest(3) + 3 * PAGE, PAGE, Access.READ_WRITE);
    net.iotlbInvalidate(used, PAGE);

    assertThat(drainSignals()).containsExactly(0L, 0L, 0L, 0L, 0L, 0L, 1L, 1L);
  }

  @Test
  void aRingThatStopsAndStartsIsSignalled() {
    VhostNet net = running();
    drainSignals();
    iommu.unmap(iova(2), PAGE);
    net.iotlbInvalidate(iova(2), PAGE);
    drainSignals();

    iommu.map(iova(2), guest(2) + PAGE, PAGE, Access.READ);
    net.iotlbMapped(iova(2), PAGE);

    assertThat(drainSignals()).containsExactly(0L, 0L, 0L, 0L, 1L, 1L, 0L, 0L);
  }

  /** Of each ring, how often its kick and its call were signalled since the last time. */
  private List<Long> drainSignals() {
    return rig.eventfds.getFirst().stream()
        .flatMap(ring -> Stream.of(ring.kick().drain(), ring.call().drain()))
        .toList();
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

  /** An IOMMU may walk page tables for each address. */
  @Test
  void whatTheGuestHasNotChangedIsNotLookedUp() {
    VhostNet net = running();
    for (int i = 0; i < 1000; i++) {
      iommu.map(0x9000_0000L + 2L * i * PAGE, 0x200000, PAGE, Access.READ_WRITE);
    }
    net.iotlbUpdate(0x9000_0000L, 1000 * PAGE);
    net.iotlbUpdate(0x9000_0000L + 1000 * PAGE, 1000 * PAGE);
    iommu.unmap(0x9000_0000L, PAGE);
    long before = iommu.asked();

    net.iotlbInvalidate(0x9000_0000L, PAGE);

    assertThat(iommu.asked() - before).as("rings, and one page").isLessThan(100);
    assertThat(net.iotlb().told()).isEqualTo(3 * Rig.RINGS + 999);
    assertThat(rig.backEnd().translations(0)).noneMatch(held -> held.iova() == 0x9000_0000L);
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
      iommu.map(0x9100_0000L, 0x210000, PAGE, Access.READ_WRITE);
      net.iotlbUpdate(0x9100_0000L, PAGE); // acknowledged after what was told before

      assertThat(rig.backEnd().translations(0)).anyMatch(t -> t.iova() == 0x9000_0000L);
      watch.unwatch(net);
    }
  }

  @Test
  void aBackEndThatWasCutOffMakesEachInvalidationFail() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofMillis(500)));
    mapRings();
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
        .hasMessageContaining("so it may still write to guest memory");
  }

  /** It may hang, and serve the rings on when it goes on. */
  @Test
  void aBackEndThatWasCutOffForAnotherReasonMakesInvalidationsFailToo() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofMillis(500)));
    mapRings();
    drive(net);
    net.start();
    rig.backEnd()
        .arm(Faults.none().atEvery(FrontEndRequest.GET_STATUS, new Faults.Wrong.NeverAnswers()));
    rig.memory.addRegion("more", 1L << 32, 1 << 20);
    net.access(() -> {});
    assertThat(net.connected()).as("it did not answer").isFalse();
    iommu.unmap(iova(1), PAGE);

    assertThatThrownBy(() -> net.iotlbInvalidate(iova(1), PAGE))
        .hasMessageContaining("so it may still write to guest memory");

    rig.replaceBackEnd(BackEndOffer.of(Personality.DPDK).withIotlb(IotlbModel.DPDK));
    net.reconnect();
    net.iotlbInvalidate(iova(1), PAGE);
    assertThat(net.running()).isTrue();
  }

  @Test
  void aBackEndThatHasHungUpAccessesNothingMore() {
    VhostNet net = running();
    rig.backEnd().close();
    net.linkUp(false); // it notices
    assertThat(net.connected()).isFalse();
    iommu.unmap(iova(1), PAGE);

    net.iotlbInvalidate(iova(1), PAGE);
  }

  /** Whatever is wrong: nobody has acknowledged that the page is gone. */
  @Test
  void anInvalidationThatFailsForAnyReasonCutsTheBackEndOff() {
    VhostNet net = running();
    iommu.unmap(iova(1), PAGE);
    rig.memory.close();

    assertThatThrownBy(() -> net.iotlbInvalidate(iova(1), PAGE))
        .isInstanceOf(IllegalStateException.class);

    assertThat(net.connected()).isFalse();
  }

  /** An IOMMU of the embedder that throws when it is told to. */
  private VhostNet behindMoodyIommu(AtomicBoolean throwing) {
    VhostNet net =
        connect((iova, access) -> {
          if (throwing.get()) {
            throw new IllegalStateException("on purpose");
          }
          return iommu.translate(iova, access);
        });
    mapRings();
    drive(net);
    net.start();
    return net;
  }

  @Test
  void aMissAtWhichTheIommuThrowsIsToldWhenTheGuestMapsIt() throws Exception {
    var throwing = new AtomicBoolean();
    VhostNet net = behindMoodyIommu(throwing);
    try (var watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
      throwing.set(true);
      ask(0x9000_0234L, Access.WRITE);
      throwing.set(false);

      net.iotlbMapped(0x9000_0000L, PAGE);

      assertThat(rig.backEnd().translations(0)).anyMatch(t -> t.iova() == 0x9000_0000L);
      watch.unwatch(net);
    }
    rig.noRuleWasBroken();
  }

  @Test
  void whereTheIommuThrowsAnInvalidationWithdrawsWhatNobodyConfirms() {
    var throwing = new AtomicBoolean();
    VhostNet net = behindMoodyIommu(throwing);
    iommu.unmap(iova(1), PAGE);
    throwing.set(true);

    net.iotlbInvalidate(iova(1), PAGE);

    assertThat(net.connected()).isTrue();
    assertThat(net.shadow().mayHoldTranslations(0, -1)).isFalse();
    assertThat(rig.backEnd().translations(0)).isEmpty();
    throwing.set(false);
    net.iotlbMapped(0, -1);
    assertThat(net.shadow().ring(0).run()).isEqualTo(RingShadow.Run.STARTED);
    rig.noRuleWasBroken();
  }
}
