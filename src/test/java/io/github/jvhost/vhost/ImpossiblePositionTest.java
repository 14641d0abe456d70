package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Saved states whose ring indexes contradict guest memory. */
class ImpossiblePositionTest {
  @TempDir private Path dir;

  static Stream<StartOrder> orders() {
    return Stream.of(StartOrder.PLANNED, QemuOrder.QEMU);
  }

  private Rig rig(long features) {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC).withFeatures(BackEndOffer.DEFAULT_FEATURES | features);
    return new Rig(dir, 1, offer, BackEndProfile.GENERIC);
  }

  /** A saved device, whose ring 0 of 256 entries goes on somewhere. */
  private static VirtioNetState savedAt(Rig rig, RingIndex index) {
    Rig.drive(rig.net(), 0);
    rig.net().model().setNextIndex(0, index);
    return rig.net().snapshot();
  }

  private static void indexes(Rig rig, int used, int available) {
    rig.used(0, 0, used);
    rig.availIndex(0, 0, available);
  }

  private static void startsNowhere(Rig rig) {
    assertThat(rig.backEnd().isRunning()).isFalse();
    assertThat(rig.backEnd().record().count(FrontEndRequest.SET_VRING_KICK)).isZero();
  }

  @ParameterizedTest
  @MethodSource("orders")
  void isRefusedByAWindowWhoseSourceCanStillGoOn(StartOrder order) {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(5000));
      indexes(rig, 100, 300);
      rig.net().restore(saved);

      assertThatThrownBy(() -> VhostNetGroup.start(rig.nets, order))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("net0: the saved state and guest memory do not belong together")
          .hasMessageContaining("ring 0 cannot go on at 5000")
          .hasMessageContaining("the used index is 100 and the available index 300")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
      startsNowhere(rig);
    }
  }

  /** The way that was made ahead of time. */
  @Test
  void isRefusedByAPreparedWindow() {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(5000));
      rig.net().restore(saved);
      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      assertThat(rig.net().migration().prepareStart(saved)).isTrue();
      rig.net().restore(saved);
      indexes(rig, 100, 300);

      assertThatThrownBy(() -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED))
          .hasMessageContaining("ring 0 cannot go on at 5000");
      startsNowhere(rig);
    }
  }

  @Test
  void breaksADeviceThatIsStartedWithoutAMigration() {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(5000));
      indexes(rig, 100, 300);
      rig.net().restore(saved);

      rig.net().start();

      assertThat(rig.net().model().whyBroken().orElseThrow())
          .contains("ring 0 cannot go on at 5000");
      assertThat(rig.net().running()).isFalse();
      startsNowhere(rig);

      rig.net()
          .access(() -> {
            rig.net().model().setStatus(0);
            indexes(rig, 0, 0);
            Rig.drive(rig.net(), 0);
          });
      assertThat(rig.net().running()).as("after a reset it works again").isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "100, 100, 300", // nothing taken yet
    "300, 100, 300", // all taken, nothing given back
    "65500, 65400, 20", // available has wrapped
    "10, 65500, 20", // taken, too
    "7, 7, 7"
  })
  void whatIsBetweenUsedAndAvailableIsStarted(int next, int used, int available) {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(next));
      indexes(rig, used, available);
      rig.net().restore(saved);

      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().shadow().ring(0).get(Fact.BASE)).isEqualTo(Known.held(next));
    }
  }

  @ParameterizedTest
  @CsvSource({"99, 100, 300", "301, 100, 300", "21, 65500, 20", "65499, 65500, 20"})
  void whatIsJustOutsideIsNot(int next, int used, int available) {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(next));
      indexes(rig, used, available);
      rig.net().restore(saved);

      assertThatThrownBy(() -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED))
          .hasMessageContaining("ring 0 cannot go on at " + next);
    }
  }

  /** A guest must not be able to keep itself from being migrated. */
  @Test
  void aDriverThatMadeMoreAvailableThanThereIsHasItsDeviceBroken() {
    try (Rig rig = rig(0)) {
      VirtioNetState saved = savedAt(rig, RingIndex.split(100));
      indexes(rig, 100, 5000);
      rig.net().restore(saved);

      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(rig.net().model().whyBroken().orElseThrow())
          .contains("ring 0 has more available than it has entries");
      startsNowhere(rig);
    }
  }

  /** Each of them is ruled out by the ring: descriptor 0 was used in the first lap, no other. */
  @ParameterizedTest
  @CsvSource({
    "0, true, 0, true", // used in this lap
    "7, true, 0, true", // the place where the next one is used, too
    "7, true, 9, true", // used before it was made available
    "9, false, 7, true", // more than a ring apart
  })
  void ofAPackedRingWhatItsFlagsRuleOutIsRefused(
      int available, boolean availableWrap, int used, boolean usedWrap) {
    try (Rig rig = rig(NetFeature.RING_PACKED.mask())) {
      VirtioNetState saved =
          savedAt(rig, RingIndex.packed(available, availableWrap, used, usedWrap));
      rig.packedUsed(0, 0);
      rig.net().restore(saved);

      assertThatThrownBy(() -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED))
          .hasMessageContaining("ring 0 cannot go on at");
      startsNowhere(rig);
    }
  }

  @Test
  void aPackedRingThatGoesOnBehindWhatWasUsedIsStarted() {
    try (Rig rig = rig(NetFeature.RING_PACKED.mask())) {
      VirtioNetState saved = savedAt(rig, RingIndex.packed(1, true, 1, true));
      rig.packedUsed(0, 0);
      rig.net().restore(saved);

      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(rig.net().running()).isTrue();
    }
  }
}
