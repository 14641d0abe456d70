package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.BackEndGoneException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What has no answer of its own is refused, by a back end that only writes that into its log. */
class RefusedRingStepTest {
  @TempDir private Path dir;

  static Stream<Arguments> steps() {
    return Stream.of(
        Arguments.of(FrontEndRequest.SET_VRING_NUM, "ring 1 size"),
        Arguments.of(FrontEndRequest.SET_VRING_CALL, "ring 1 call"),
        Arguments.of(FrontEndRequest.SET_VRING_BASE, "ring 1 base"),
        Arguments.of(FrontEndRequest.SET_VRING_ADDR, "ring 1 address"),
        Arguments.of(FrontEndRequest.SET_VRING_KICK, "ring 1 kick"));
  }

  @ParameterizedTest
  @MethodSource("steps")
  void aStartNamesWhatWasRefused(FrontEndRequest request, String field) {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.backEnd().arm(Faults.none().at(request, 2, new Wrong.RefuseSilently()));
      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();
      assertThat(result.outcome().waits()).as("collected with all others").isEqualTo(1);
      assertThat(result.outcome().failure())
          .isInstanceOf(BackEndRefusedException.class)
          .hasMessageContaining(field + " ")
          .hasMessageContaining("the back end answered 1");
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = FrontEndRequest.class,
      names = {"SET_VRING_NUM", "SET_VRING_CALL"})
  void anEarlySetUpNamesItWhileTheGuestStillRunsElsewhere(FrontEndRequest request) {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.backEnd().arm(Faults.none().at(request, 2, new Wrong.RefuseSilently()));
      PresetupResult result = rig.presetup(PresetupMode.IMPLICIT).getFirst();
      assertThat(result.done()).isFalse();
      assertThat(result.toString()).contains("ring 1 ");
    }
  }

  /** Sizes and calls are told before the window. */
  static Stream<Arguments> stepsOfAWindow() {
    return steps().skip(2);
  }

  @ParameterizedTest
  @MethodSource("stepsOfAWindow")
  void aPreparedWindowNamesItAndStartsTheDeviceOnceMore(FrontEndRequest request, String field) {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.driveAll();
      prepareWindow(rig);
      rig.backEnd().arm(Faults.none().at(request, 2, new Wrong.RefuseSilently()));
      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();
      assertThat(result.outcome().waits()).as("collected in the one wait").isEqualTo(1);
      assertThat(result.outcome().failure())
          .isInstanceOf(BackEndRefusedException.class)
          .hasMessageContaining(field + " ")
          .hasMessageContaining("the back end answered 1");
      assertThat(result.running()).as("at a back end that takes it then").isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();
    }
  }

  private static void prepareWindow(Rig rig) {
    assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
    assertThat(rig.net().migration().prepareStart(rig.net().snapshot())).isTrue();
  }

  @Test
  void aPreparedWindowIsNotWokenForItWhereARefusalIsAHangUp() throws InterruptedException {
    BackEndOffer offer = BackEndOffer.of(Personality.DPDK);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.DPDK)) {
      rig.driveAll();
      prepareWindow(rig);
      int mark = rig.backEnd().record().mark();
      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();
      assertThat(result.running()).isTrue();
      rig.names(0, mark, result.messages());
      List<String> told = Rig.marked(rig.backEnd().record().since(mark));
      assertThat(told).contains("SET_VRING_BASE", "GET_STATUS").noneMatch(m -> m.endsWith("!"));
    }
  }

  @Test
  void aPreparedWindowNoticesARefusalThatIsAHangUp() {
    BackEndOffer offer = BackEndOffer.of(Personality.DPDK);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.DPDK)) {
      rig.driveAll();
      prepareWindow(rig);
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.SET_VRING_BASE, 2, new Wrong.HangUpBefore()));
      StartResult result = VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst();
      assertThat(result.outcome().failure()).isInstanceOf(BackEndGoneException.class);
      assertThat(result.running()).as("on a new connection").isTrue();
    }
  }
}
