package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Two devices with two queue pairs on real sockets: what is said in the window, and the waits. */
class DeviceStartTest {
  private static final BackEndOffer PRESETUP =
      BackEndOffer.of(Personality.VFE).withDialect(Configs.WITH_PRESETUP);

  @TempDir private Path dir;

  @Test
  void afterExplicitPresetupOfAnyBackEnd() throws InterruptedException {
    afterExplicitPresetup(BackEndProfile.GENERIC, List.of("SET_VRING_BASE", "SET_VRING_KICK"));
  }

  /** "Ideally, only the vring available index needs to be changed within VM stop." */
  @Test
  void afterExplicitPresetupWhereRingsAreHeldUntilDriverOk() throws InterruptedException {
    afterExplicitPresetup(BackEndProfile.NVIDIA_VFE, List.of("SET_VRING_BASE"));
  }

  private void afterExplicitPresetup(BackEndProfile profile, List<String> ofARing)
      throws InterruptedException {
    try (Rig rig = new Rig(dir, 2, PRESETUP, profile)) {
      rig.driveAll();
      assertThat(rig.presetup(PresetupMode.EXPLICIT)).allMatch(PresetupResult::done);
      for (var backEnd : rig.backEnds) {
        assertThat(backEnd.isRunning()).isFalse();
        assertThat(backEnd.record().guestWrites()).isZero();
      }
      startsWith(rig, ofARing);
    }
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void afterGenericPresetupOfAnyBackEnd(Personality personality) throws InterruptedException {
    BackEndOffer offer = BackEndOffer.of(personality).with(ProtocolFeature.STATUS);
    try (Rig rig = new Rig(dir, 2, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      for (var backEnd : rig.backEnds) {
        assertThat(backEnd.isRunning()).isFalse();
        assertThat(backEnd.record().guestWrites()).isZero();
      }
      startsWith(rig, List.of("SET_VRING_BASE", "SET_VRING_ADDR", "SET_VRING_KICK"));
    }
  }

  @Test
  void afterDpdkPresetup() throws InterruptedException {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.DPDK), BackEndProfile.DPDK)) {
      rig.driveAll();
      assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
      startsWith(rig, List.of("SET_VRING_BASE"));
    }
  }

  /** The window is these messages for each ring, the status and the barrier, and one wait. */
  private static void startsWith(Rig rig, List<String> ofARing) throws InterruptedException {
    rig.ringsAreAtSomeIndex();
    List<Integer> marks = rig.backEnds.stream().map(b -> b.record().mark()).toList();

    List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

    List<String> expected = new ArrayList<>();
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      expected.addAll(ofARing);
    }
    expected.addAll(List.of("SET_STATUS", "GET_STATUS"));
    for (int i = 0; i < rig.nets.size(); i++) {
      assertThat(rig.names(i, marks.get(i), expected.size())).isEqualTo(expected);
      StartResult result = results.get(i);
      assertThat(result.fallback()).isNull();
      assertThat(result.messages()).isEqualTo(expected.size());
      assertThat(result.waits()).isEqualTo(1);
      assertThat(rig.backEnds.get(i).isRunning()).isTrue();
      for (int ring = 0; ring < 2; ring++) {
        int index = 1000 * i + 10 + ring;
        assertThat(rig.backEnds.get(i).ring(ring))
            .hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(index));
        assertThat(rig.eventfds.get(i).get(ring).call().drain()).as("call").isPositive();
      }
    }
    rig.noRuleWasBroken();
  }

  @Test
  void withoutPresetupTheWindowStillHasOneWait() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.DPDK), BackEndProfile.GENERIC)) {
      rig.driveAll();

      List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(results).extracting(StartResult::waits).containsExactly(1, 1);
      assertThat(results).extracting(StartResult::messages).containsExactly(30, 30);
      rig.noRuleWasBroken();
    }
  }

  @ParameterizedTest
  @EnumSource(Personality.class)
  void theSourceAsksForAllBasesBeforeItReadsTheFirst(Personality personality)
      throws InterruptedException {
    BackEndOffer offer = BackEndOffer.of(personality);
    boolean status = personality.offersStatus();
    try (Rig rig = new Rig(dir, 2, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      List<Integer> marks = rig.backEnds.stream().map(b -> b.record().mark()).toList();

      List<Outcome> outcomes = VhostNetGroup.stop(rig.nets, StartOrder.PLANNED);

      List<String> expected =
          new ArrayList<>(
              List.of("GET_VRING_BASE", "GET_VRING_BASE", "GET_VRING_BASE", "GET_VRING_BASE"));
      if (status) {
        expected.add("SET_STATUS");
      }
      for (int i = 0; i < rig.nets.size(); i++) {
        assertThat(outcomes.get(i).complete()).isTrue();
        assertThat(outcomes.get(i).waits()).isEqualTo(1);
        assertThat(rig.names(i, marks.get(i), expected.size())).isEqualTo(expected);
        for (int ring = 0; ring < Rig.RINGS; ring++) {
          assertThat(rig.nets.get(i).model().queue(ring).next().avail())
              .isEqualTo(1000 * i + 10 + ring);
        }
        assertThat(rig.nets.get(i).running()).isFalse();
        assertThat(rig.backEnds.get(i).isRunning()).isFalse();
      }
      rig.noRuleWasBroken();
    }
  }

  @Test
  void asQemuDoesItEveryBaseIsWaitedFor() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.DPDK), BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNetGroup.start(rig.nets, QemuOrder.QEMU);

      assertThat(VhostNetGroup.stop(rig.nets, QemuOrder.QEMU).getFirst().waits()).isEqualTo(4);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aSourceThatResumesGoesOnWhereItStopped() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.DPDK), BackEndProfile.DPDK)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      VhostNetGroup.stop(rig.nets, StartOrder.PLANNED);

      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(StartResult::running);

      for (int i = 0; i < rig.nets.size(); i++) {
        int index = 1000 * i + 10;
        assertThat(rig.backEnds.get(i).ring(0))
            .hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(index));
      }
      rig.noRuleWasBroken();
    }
  }
}
