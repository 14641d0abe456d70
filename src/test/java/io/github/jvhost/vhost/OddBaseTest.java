package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.RefusedBase;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Back ends that say of a ring that it stopped where it cannot have been. */
class OddBaseTest {
  private static final int LAST_RING = Rig.RINGS - 1;

  @TempDir private Path dir;

  static Stream<StartOrder> orders() {
    return Stream.of(StartOrder.PLANNED, QemuOrder.QEMU);
  }

  private Rig running(BackEndOffer offer, BackEndProfile profile, int devices) {
    Rig rig = new Rig(dir, devices, offer, profile);
    rig.driveAll();
    rig.ringsAreAtSomeIndex();
    VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
    return rig;
  }

  private Rig running() {
    return running(BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC, 2);
  }

  /** The first device's ring 0 has this in guest memory, and is said to have stopped there. */
  private static void stopsAt(Rig rig, int answered, int used, int available) {
    rig.used(0, 0, used);
    rig.availIndex(0, 0, available);
    rig.backEnd().arm(answers(1, answered));
  }

  private static Faults answers(int nth, int base) {
    return Faults.none().at(FrontEndRequest.GET_VRING_BASE, nth, new Faults.Wrong.Base(base));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 100, 300",
    "99, 100, 300",
    "301, 100, 300",
    "5000, 100, 300",
    "-1, 100, 300",
    "65535, 0, 100",
    "21, 65500, 20",
    "300, 100, 5000", // nonsense of the driver's own; the device can be a ring ahead at most
  })
  void outsideOfWhatTheDriverMadeAvailableTheUsedIndexCounts(
      int answered, int used, int available) {
    boolean nonsense = available - used > 256;
    int odd = nonsense ? used + 257 : answered;
    try (Rig rig = running()) {
      stopsAt(rig, odd, used, available);

      Outcome outcome = rig.net().stop();

      assertThat(outcome.complete()).isTrue();
      assertThat(rig.net().model().queue(0).next()).isEqualTo(RingIndex.split(used));
      assertThat(outcome.refusedBases())
          .singleElement()
          .satisfies(refused -> {
            assertThat(refused.device()).isEqualTo("net0");
            assertThat(refused.ring()).isZero();
            assertThat(refused.answered()).isEqualTo(odd);
            assertThat(refused.goesOnAt()).isEqualTo(OptionalInt.of(used));
            assertThat(refused.describe())
                .contains("the used index is " + used + " and the available index " + available)
                .endsWith("it goes on at 0x%x instead".formatted(used));
          });
      assertThat(rig.net().model().queue(1).next().avail()).as("its neighbour").isEqualTo(11);

      rig.net().start();
      assertThat(rig.net().shadow().ring(0).get(Fact.BASE)).isEqualTo(Known.held(used));
    }
  }

  @ParameterizedTest
  @CsvSource({"100, 100, 300", "200, 100, 300", "300, 100, 300", "5, 65500, 20"})
  void whatMayBeIsBelieved(int answered, int used, int available) {
    try (Rig rig = running()) {
      stopsAt(rig, answered, used, available);

      Outcome outcome = rig.net().stop();

      assertThat(rig.net().model().queue(0).next()).isEqualTo(RingIndex.split(answered));
      assertThat(outcome.refusedBases()).isEmpty();
    }
  }

  /** The stop of a migration, made ahead of time or in the baseline's order. */
  @ParameterizedTest
  @MethodSource("orders")
  void theStopOfAMigrationGoesByTheUsedIndex(StartOrder order) {
    try (Rig rig = running();
        var stop = new DeviceStop(rig.nets, order)) {
      stopsAt(rig, 0, 100, 300);

      stop.stop();
      stop.requirePositions();
      assertThat(rig.net().model().ringBase(0)).isEqualTo(100);
      // Guest memory may be the destination's by the time at which outcomes are asked for.
      rig.used(0, 0, 250);
      rig.availIndex(0, 0, 300);

      List<Outcome> outcomes = stop.outcomes();
      assertThat(outcomes.getFirst().refusedBases())
          .extracting(RefusedBase::goesOnAt)
          .containsExactly(OptionalInt.of(100));
      assertThat(outcomes.getLast().refusedBases()).isEmpty();
      assertThat(rig.net().model().ringBase(0)).isEqualTo(100);
    }
  }

  /**
   * At DPDK all rings stop with one. The others are taken up again in the same plan: what it tells
   * them is not what it was answered.
   */
  @Test
  void aRingThatTheSamePlanTakesUpAgainGoesOnAtTheUsedIndex() {
    BackEndOffer dpdk = BackEndOffer.of(Personality.DPDK);
    try (Rig rig = running(dpdk, BackEndProfile.DPDK, 1)) {
      rig.backEnd()
          .arm(Faults.none().atEvery(FrontEndRequest.GET_VRING_BASE, new Faults.Wrong.Base(0)));
      int mark = rig.backEnd().record().mark();
      rig.net().access(() -> rig.net().model().configureQueue(LAST_RING, 256, 0, 0, 0));

      assertThat(rig.backEnd().record().names(mark)).contains("GET_VRING_BASE", "SET_VRING_BASE");
      assertThat(rig.net().running()).isTrue();
      for (int ring = 0; ring < LAST_RING; ring++) {
        assertThat(rig.net().shadow().ring(ring).get(Fact.BASE)).isEqualTo(Known.held(10 + ring));
        assertThat(rig.backEnd().ring(ring).orElseThrow().base()).isEqualTo(10 + ring);
      }
    }
  }

  // ---- packed rings ----

  private static BackEndOffer packed() {
    return BackEndOffer.of(Personality.GENERIC)
        .withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
  }

  /** Ring 0 is at 77 in its second lap, and so says the in-flight region, if there is one. */
  private Rig packedRunning(BackEndOffer offer) {
    Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC);
    rig.driveAll();
    rig.packedLap(0, 0);
    rig.net().model().setNextIndex(0, RingIndex.packed(77, false, 77, false));
    rig.net().start();
    return rig;
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        0x80008000, // where a ring begins: used in that lap already
        0x804d_804d, // 77 of the lap before: that, too
        0x00ff_0001, // more than a ring apart
        0x0100_0100, // beyond the end
        0
      })
  void aPackedRingThatNobodyKnowsIsNotGuessed(int answered) {
    try (Rig rig = packedRunning(packed())) {
      rig.packedUsed(0, 0);
      if (answered == 0) {
        rig.packedBlank(0, 0); // its driver has never made anything available
      }
      rig.backEnd().arm(answers(1, answered));
      Outcome outcome = rig.net().stop();

      RefusedBase refused = outcome.refusedBases().getFirst();
      assertThat(refused.answered()).isEqualTo(answered);
      if (answered == 0) {
        assertThat(refused.goesOnAt()).isEqualTo(OptionalInt.of(0x80008000));
        rig.net().migration().requireRingPositions();
      } else {
        assertThat(refused.goesOnAt()).isEmpty();
        assertThat(refused.describe()).endsWith("the driver has to reset the device");
        assertThatThrownBy(rig.net().migration()::requireRingPositions)
            .hasMessageContaining("the driver has to reset the device");
      }
    }
  }

  /** The flags of 5 in the second lap look as if it could be there; the region knows better. */
  @ParameterizedTest
  @ValueSource(ints = {0x80008000, 0x00050005})
  void theInFlightRegionSaysWhereAPackedRingIs(int answered) {
    try (Rig rig = packedRunning(packed().with(ProtocolFeature.INFLIGHT_SHMFD))) {
      rig.backEnd().arm(answers(1, answered));

      Outcome outcome = rig.net().stop();

      assertThat(rig.net().model().queue(0).next())
          .isEqualTo(RingIndex.packed(77, false, 77, false));
      assertThat(outcome.refusedBases())
          .singleElement()
          .satisfies(refused -> {
            assertThat(refused.answered()).isEqualTo(answered);
            assertThat(refused.goesOnAt()).isEqualTo(OptionalInt.of(0x004d004d));
          });
      rig.net().migration().requireRingPositions();
    }
  }

  @Test
  void aPackedRingWhoseAnswerFitsIsBelieved() {
    try (Rig rig = packedRunning(packed().with(ProtocolFeature.INFLIGHT_SHMFD))) {
      Outcome outcome = rig.net().stop();

      assertThat(outcome.refusedBases()).isEmpty();
      assertThat(rig.net().model().queue(0).next())
          .isEqualTo(RingIndex.packed(77, false, 77, false));
    }
  }
}
