package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a back end asks for while no plan is under way, and what is told to it then. */
@Timeout(60)
class BetweenPlansTest extends IommuRig {
  private static final long BUFFERS = 0x9000_0000L;

  private BackEndWatch watch(VhostNet net) {
    var watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE);
    watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
    return watch;
  }

  private List<Iotlb> held(long iova) {
    return rig.backEnd().translations(0).stream()
        .filter(one -> one.iova() <= iova && iova - one.iova() < one.length())
        .toList();
  }

  private void unmapped(VhostNet net, long iova) {
    iommu.unmap(iova, PAGE);
    net.iotlbInvalidate(iova, PAGE);
    assertThat(held(iova)).as("after the invalidation").isEmpty();
  }

  @Test
  void whatIsPushedWhileTheLinkIsDownIsInvalidated() throws Exception {
    VhostNet net = running();
    iommu.map(BUFFERS, 0x200000, 16 * PAGE, Access.READ_WRITE);
    try (var watch = watch(net)) {
      net.linkUp(false);
      net.iotlbUpdate(BUFFERS + PAGE, PAGE);
      ask(BUFFERS + 3 * PAGE, Access.READ);
      net.linkUp(true);

      unmapped(net, BUFFERS + 5 * PAGE);
      unmapped(net, BUFFERS + PAGE);
      watch.unwatch(net);
    }
  }

  @Test
  void aQuestionWhatWouldBeToldChangesNothing() throws Exception {
    VhostNet net = running();
    iommu.map(BUFFERS, 0x200000, 16 * PAGE, Access.READ_WRITE);
    try (var watch = watch(net)) {
      ask(BUFFERS + 3 * PAGE, Access.READ);
      iommu.unmap(BUFFERS + 5 * PAGE, PAGE);
      net.desiredConfig(true);
      ask(BUFFERS + 3 * PAGE, Access.READ);

      net.iotlbInvalidate(BUFFERS + 5 * PAGE, PAGE);

      assertThat(held(BUFFERS + 5 * PAGE)).isEmpty();
      watch.unwatch(net);
    }
  }

  /** It may only read at these addresses, and asks while it is asked something. */
  private void needsAPlanDuringAQuestion(VhostNet net, long iova) throws Exception {
    iommu.map(iova, 0x200000, PAGE, Access.READ);
    net.iotlbUpdate(iova, PAGE);
    iommu.unmap(iova, PAGE);
    iommu.map(iova, 0x200000, PAGE, Access.READ_WRITE);
    var miss = new Iotlb(iova, 0, 0, Access.READ_WRITE.bits(), Iotlb.MISS);
    var first = new Faults.Wrong.AskFirst(BackEndRequest.IOTLB_MSG, miss);
    rig.backEnd().arm(Faults.none().at(FrontEndRequest.GET_FEATURES, 1, first));
    long _ = net.ask(RoundTrip::features);
  }

  private void awaitUpdateBehind(long updates) throws InterruptedException {
    assertThat(rig.backEnd().record().await(r -> r.iotlb().updates() > updates, Rig.soon()))
        .isTrue();
  }

  @Test
  void whatWaitsWhenTheWatchBeginsIsTold() throws Exception {
    VhostNet net = running();
    needsAPlanDuringAQuestion(net, BUFFERS);
    long told = updates();
    try (var watch = watch(net)) {
      awaitUpdateBehind(told);
      watch.unwatch(net);
    }
  }

  /** The thread that asks serves the back end too, and may be the only one that sees the miss. */
  @Test
  void whatNeedsAPlanAndIsAskedForDuringAQuestionIsTold() throws Exception {
    VhostNet net = running();
    try (var watch = watch(net)) {
      for (int i = 0; i < 50; i++) {
        long before = updates();
        needsAPlanDuringAQuestion(net, BUFFERS + i * PAGE);
        awaitUpdateBehind(before + 1); // the first is of what may only be read
      }
      watch.unwatch(net);
    }
  }

  /** DPDK never removes an entry whose end is 0 in 64 bits. */
  @Test
  void theLastPageOfAllIsNotTold() {
    VhostNet net = running();
    iommu.map(-4 * PAGE, 0x200000, 4 * PAGE, Access.READ_WRITE);
    net.iotlbUpdate(-4 * PAGE, 4 * PAGE);
    assertThat(held(-2 * PAGE)).isNotEmpty();
    assertThat(held(-PAGE)).isEmpty();

    unmapped(net, -2 * PAGE);

    assertThat(held(-3 * PAGE)).as("still mapped").isNotEmpty();
    rig.noRuleWasBroken();
  }

  private VhostNet preset(int buffers) throws Exception {
    VhostNet net = connect(iommu);
    drive(net);
    mapRings();
    for (int i = 0; i < buffers; i++) {
      iommu.map(BUFFERS + 2L * i * PAGE, 0x200000, PAGE, Access.READ_WRITE);
    }
    net.migration().expectTranslations(toldAt(iommu));
    return net;
  }

  /** It drops what it was told early, and asks again before this host's IOMMU has its state. */
  @Test
  void aBackEndThatForgetsWhileItIsPresetIsToldAgain() throws Exception {
    VhostNet net = preset(1);
    iommu.unmap(0, -1);
    try (var watch = watch(net)) {
      rig.presetup(PresetupMode.IMPLICIT);
      long told = updates();

      ask(iova(0), Access.READ_WRITE);

      awaitUpdateBehind(told);
      watch.unwatch(net);
    }
  }

  /** The guest has unmapped it at the source, so nobody invalidates it here. */
  @Test
  void whatWasToldBehindThePreparedStartIsWithdrawn() throws Exception {
    VhostNet net = preset(0);
    try (var watch = watch(net)) {
      rig.presetup(PresetupMode.IMPLICIT);
      assertThat(net.migration().prepareStart(net.snapshot())).isTrue();
      iommu.map(BUFFERS, 0x200000, PAGE, Access.READ_WRITE);
      ask(BUFFERS, Access.READ_WRITE);
      iommu.unmap(BUFFERS, PAGE);

      assertThat(VhostNetGroup.start(List.of(net), StartOrder.PLANNED).getFirst().running())
          .isTrue();

      assertThat(held(BUFFERS)).isEmpty();
      watch.unwatch(net);
    }
  }

  /** The state of the destination's IOMMU arrives without a word to the device. */
  @Test
  void whatWasAskedForBehindThePreparedStartIsToldByTheStart() throws Exception {
    VhostNet net = preset(0);
    try (var watch = watch(net)) {
      rig.presetup(PresetupMode.IMPLICIT);
      assertThat(net.migration().prepareStart(net.snapshot())).isTrue();
      ask(BUFFERS, Access.READ_WRITE);
      iommu.map(BUFFERS, 0x200000, PAGE, Access.READ_WRITE);

      assertThat(VhostNetGroup.start(List.of(net), StartOrder.PLANNED).getFirst().running())
          .isTrue();

      assertThat(held(BUFFERS)).isNotEmpty();
      watch.unwatch(net);
    }
  }

  /** The first translation of a ring may make DPDK forget all that it was told. */
  @Test
  void inPresetupTheRingsComeBeforeTheirKicksAndBuffersBehindThem() throws Exception {
    preset(1);

    rig.presetup(PresetupMode.IMPLICIT);

    List<RecordedMessage> all = rig.backEnd().record().messages();
    int firstKick =
        all.stream().map(RecordedMessage::request).toList().indexOf(FrontEndRequest.SET_VRING_KICK);
    assertThat(all.subList(0, firstKick))
        .filteredOn(m -> m.payload() instanceof Iotlb)
        .hasSize(3 * Rig.RINGS);
    assertThat(all.subList(firstKick, all.size()))
        .filteredOn(m -> m.payload() instanceof Iotlb)
        .hasSize(1);
  }

  /** Linux allocates I/O virtual addresses from the top down. */
  @Test
  void theEarlyRecordHasTheRingsWhereverTheyLie() {
    VhostNet net = running();
    long low = 0x1000_0000L;
    for (int i = 0; i < DeviceTranslations.MOST; i++) {
      iommu.map(low + 2L * i * PAGE, 0x200000, PAGE, Access.READ_WRITE);
    }
    for (int i = 0; i < DeviceTranslations.MOST; i += 256) {
      net.iotlbUpdate(low + 2L * i * PAGE, 512 * PAGE);
    }

    List<Translation> record = net.migration().translations();

    assertThat(record)
        .filteredOn(one -> Long.compareUnsigned(one.iova(), iova(0)) >= 0)
        .hasSize(3 * Rig.RINGS);
    assertThat(record).hasSize(DeviceTranslations.MOST + 3 * Rig.RINGS);
  }
}
