package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One device at run time, and everything that a back end can do wrong. */
class VhostNetTest {
  private static final BackEndOffer DPDK = BackEndOffer.of(Personality.DPDK);
  private static final BackEndOffer PRESETUP =
      BackEndOffer.of(Personality.VFE).withDialect(Configs.WITH_PRESETUP);
  private static final Duration SHORT = Duration.ofSeconds(1);

  @TempDir private Path dir;

  // ---- run time ----

  @Test
  void queuePairsAndTheLogAreSwitchedWhileItRuns() throws InterruptedException {
    try (Rig rig = started(DPDK);
        DirtyLog log = DirtyLog.create(rig.ledger, rig.memory.table())) {
      int mark = rig.backEnd().record().mark();
      rig.setQueuePairs(2);
      assertThat(rig.names(0, mark, 3))
          .containsExactly("SET_VRING_ENABLE", "SET_VRING_ENABLE", "GET_STATUS");

      mark = rig.backEnd().record().mark();
      rig.net().migration().logTo(log);
      assertThat(rig.names(0, mark, 7))
          .containsExactly(
              "SET_LOG_BASE",
              "SET_FEATURES",
              "SET_VRING_ADDR",
              "SET_VRING_ADDR",
              "SET_VRING_ADDR",
              "SET_VRING_ADDR",
              "GET_STATUS");

      mark = rig.backEnd().record().mark();
      rig.net().migration().logTo(null);
      assertThat(rig.names(0, mark, 6)).startsWith("SET_FEATURES", "SET_VRING_ADDR");
      assertThat(rig.net().refresh().isEmpty()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aDriverThatResetsStopsTheDeviceAndBeginsAnew() {
    try (Rig rig = started(DPDK)) {
      rig.net().access(() -> rig.net().model().setStatus(0));

      assertThat(rig.net().running()).isFalse();
      assertThat(rig.backEnd().isRunning()).isFalse();
      assertThat(rig.net().model().queue(2).next())
          .as("the control ring has not become a data ring's place")
          .isEqualTo(RingIndex.split(0));

      for (int ring = 0; ring < Rig.RINGS; ring++) {
        rig.used(0, ring, 0);
      }
      rig.net().access(() -> Rig.drive(rig.net(), 0));
      assertThat(rig.backEnd().isRunning()).isTrue();
      assertThat(rig.backEnd().ring(0)).hasValueSatisfying(r -> assertThat(r.base()).isZero());
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aResetAndTheSameSetUpWithinOneAccessBeginAnew() {
    try (Rig rig = started(DPDK)) {
      int mark = rig.backEnd().record().mark();
      rig.net()
          .access(() -> {
            rig.net().model().setStatus(0);
            for (int ring = 0; ring < Rig.RINGS; ring++) {
              rig.used(0, ring, 0);
            }
            Rig.drive(rig.net(), 0);
          });

      assertThat(rig.backEnd().record().names(mark))
          .contains("GET_VRING_BASE", "SET_VRING_BASE", "SET_STATUS");
      assertThat(rig.backEnd().isRunning()).isTrue();
      assertThat(rig.backEnd().ring(0)).hasValueSatisfying(r -> assertThat(r.base()).isZero());
      rig.noRuleWasBroken();
    }
  }

  @Test
  void whoWantsADeviceWhileAPlanIsUnderWayWaitsAndPlansAfresh() throws InterruptedException {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      int mark = rig.backEnd().record().mark();
      Execution start = net.migration().beginStart(StartOrder.PLANNED);

      Thread vcpu = Thread.ofPlatform().start(() -> net.access(() -> net.model().mtu(1400)));
      Deadline deadline = Rig.soon();
      while (vcpu.getState() != Thread.State.TIMED_WAITING && !deadline.expired()) {
        Thread.onSpinWait();
      }
      assertThat(vcpu.getState()).isEqualTo(Thread.State.TIMED_WAITING);
      assertThat(rig.backEnd().record().names(mark)).isEmpty();

      Flights.run(List.of(start), Rig.soon());
      assertThat(net.migration().takeOutcome(start).failure()).isNull();
      net.migration().letGo();
      assertThat(vcpu.join(Duration.ofSeconds(20))).isTrue();
      assertThat(net.shadow().get(Fact.MTU)).isEqualTo(Known.held(1400));
      assertThat(rig.backEnd().record().names(mark))
          .filteredOn("NET_SET_MTU"::equals)
          .as("the start told the old one, the access the new one")
          .hasSize(2);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void ofAPackedBaseWithoutAUsedHalfBothHalvesAreTheSame() {
    BackEndOffer packed = DPDK.withFeatures(DPDK.features() | NetFeature.RING_PACKED.mask());
    try (Rig rig = new Rig(dir, 1, packed, BackEndProfile.DPDK)) {
      rig.driveAll();
      RingIndex index = RingIndex.packed(77, false, 77, false);
      rig.net().model().setNextIndex(1, index);
      rig.packedLap(0, 1);
      rig.net().start();

      assertThat(rig.net().stop().complete()).isTrue();

      assertThat(rig.net().model().queue(1).next()).isEqualTo(index);
    }
  }

  // ---- refusals ----

  @Test
  void aRefusalIsThrownAndAReconnectWorks() {
    try (Rig rig = driven(DPDK)) {
      rig.backEnd().arm(faults(FrontEndRequest.NET_SET_MTU, new Wrong.Refuse()));

      assertThatThrownBy(() -> rig.net().start())
          .isInstanceOf(BackEndRefusedException.class)
          .hasMessageContaining("net0: mtu")
          .hasMessageContaining("answered 1")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.RECONNECT);
      assertThat(rig.net().running()).isFalse();

      assertThat(rig.net().reconnect().complete()).isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aStartThatIsRefusedInTheWindowIsMadeOnceMoreFromNothing() {
    try (Rig rig = new Rig(dir, 2, PRESETUP, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.presetup(PresetupMode.EXPLICIT);
      rig.ringsAreAtSomeIndex();
      rig.backEnd().arm(faults(FrontEndRequest.SET_STATUS, new Wrong.HangUpBefore()));

      List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(results).allMatch(StartResult::running);
      assertThat(results.getFirst().fallback()).isNotBlank();
      assertThat(results.getLast().fallback()).as("the other device").isNull();
      assertThat(rig.backEnd().ring(0)).hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(10));
      rig.noRuleWasBroken();
    }
  }

  @Test
  void presetupThatIsRefusedIsNotEndedAndLeavesAFreshConnection() {
    try (Rig rig = driven(PRESETUP)) {
      rig.backEnd().arm(faults(FrontEndRequest.NET_SET_MTU, new Wrong.Refuse()));

      PresetupResult result = rig.presetup(PresetupMode.EXPLICIT).getFirst();

      assertThat(result.done()).isFalse();
      assertThat(result.note()).contains("mtu");
      assertThat(rig.backEnd().record().count(FrontEndRequest.PRESETUP)).as("no end").isEqualTo(1);
      assertThat(rig.net().shadow()).isEqualTo(Shadow.nothingHeld());
      assertThat(rig.net().start().complete()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void presetupThatIsNotPossibleSaysWhy() {
    try (Rig rig = driven(BackEndOffer.of(Personality.LIBVHOST_USER))) {
      assertThat(rig.presetup(PresetupMode.EXPLICIT).getFirst().note()).contains("no PRESETUP");
      assertThat(rig.presetup(PresetupMode.OFF).getFirst().note()).contains("switched off");
      assertThat(rig.backEnd().record().count(FrontEndRequest.SET_FEATURES)).isZero();
    }
  }

  // ---- deadlines ----

  @Test
  void aBackEndThatNeverReadsEndsAtTheDeadline() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      impatient(rig);
      rig.backEnd().arm(faults(FrontEndRequest.SET_FEATURES, new Wrong.NeverRead()));

      assertThatThrownBy(() -> rig.net().start()).isInstanceOf(DeadlineException.class);

      assertThatThrownBy(() -> rig.net().start())
          .as("a late answer must never be taken for another one")
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("connect again first");
      assertThat(rig.net().reconnect().complete()).isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();
    }
  }

  @Test
  void aStopThatIsNotAnsweredTakesThePlaceFromTheUsedRing() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      impatient(rig);
      rig.ringsAreAtSomeIndex();
      rig.net().start();
      rig.used(0, 1, 4711);
      rig.backEnd().arm(faults(FrontEndRequest.GET_VRING_BASE, new Wrong.NeverRead()));

      Outcome outcome = rig.net().stop();

      assertThat(outcome.failure()).isInstanceOf(DeadlineException.class);
      assertThat(rig.net().model().queue(0).next()).isEqualTo(RingIndex.split(10));
      assertThat(rig.net().model().queue(1).next()).isEqualTo(RingIndex.split(4711));
    }
  }

  private static void impatient(Rig rig) {
    rig.net().close();
    rig.nets.set(0, rig.connect(0, SHORT));
    rig.driveAll();
  }

  // ---- a back end that goes and comes ----

  @Test
  void afterACrashTheRingsGoOnWhereTheyGotTo() throws InterruptedException {
    try (Rig rig = started(DPDK)) {
      rig.used(0, 1, 4711);
      rig.backEnd().hangUp();
      awaitGone(rig);

      assertThat(rig.net().reconnect().complete()).isTrue();

      assertThat(toldBases(rig)).containsExactly(10, 4711, 12, 13);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aCrashThatARefreshNoticedIsNoDifferent() throws InterruptedException {
    try (Rig rig = started(DPDK)) {
      rig.used(0, 1, 4711);
      rig.backEnd().hangUp();
      awaitGone(rig);

      rig.setQueuePairs(2); // no access of the driver's fails for it
      assertThat(rig.net().model().linkUp()).isFalse();
      assertThat(rig.net().reconnect().complete()).isTrue();

      assertThat(toldBases(rig)).containsExactly(10, 4711, 12, 13);
    }
  }

  @Test
  void aDeviceWhoseBackEndIsGoneStopsWhereItsRingsAre() throws InterruptedException {
    try (Rig rig = started(DPDK)) {
      rig.used(0, 0, 500);
      rig.backEnd().close();
      assertThatThrownBy(() -> rig.net().reconnect()).isInstanceOf(VhostException.class);

      var _ = rig.net().stop();

      assertThat(rig.net().model().queue(0).next()).isEqualTo(RingIndex.split(500));
      assertThat(rig.net().model().queue(1).next()).isEqualTo(RingIndex.split(11));
    }
  }

  @Test
  void aDeviceWithMoreQueuePairsThanItsBackEndIsRefused() {
    assertThatThrownBy(
            () -> {
              try (Rig rig = new Rig(dir, 1, DPDK.withQueuePairs(1), BackEndProfile.GENERIC)) {
                rig.driveAll();
              }
            })
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("the device has 2 queue pairs, the back end serves 1");
  }

  // ---- short words ----

  private Rig driven(BackEndOffer offer) {
    Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC);
    rig.driveAll();
    return rig;
  }

  private Rig started(BackEndOffer offer) {
    Rig rig = driven(offer);
    rig.ringsAreAtSomeIndex();
    rig.net().start();
    assertThat(rig.net().model().status() & DeviceStatus.DRIVER_OK).isNotZero();
    return rig;
  }

  private static Faults faults(FrontEndRequest request, Wrong wrong) {
    return Faults.none().at(request, 1, wrong);
  }

  private static void awaitGone(Rig rig) throws InterruptedException {
    assertThat(rig.backEnd().record().await(r -> r.disconnections() == 1, Rig.soon())).isTrue();
  }

  private static List<Integer> toldBases(Rig rig) {
    int newest = rig.backEnd().record().connections();
    return rig.backEnd().record().messages().stream()
        .filter(m -> m.connection() == newest)
        .filter(m -> m.request() == FrontEndRequest.SET_VRING_BASE)
        .map(RecordedMessage::payload)
        .map(p -> ((VringState) p).num())
        .toList();
  }
}
