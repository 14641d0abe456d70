package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Devices that are stopped by what was made ahead of time. */
class DeviceStopTest {
  @TempDir private Path dir;

  private Rig running(int devices) {
    Rig rig = new Rig(dir, devices, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
    rig.driveAll();
    rig.ringsAreAtSomeIndex();
    VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
    return rig;
  }

  private static void isStoppedWhereItWas(Rig rig) {
    for (int i = 0; i < rig.nets.size(); i++) {
      for (int ring = 0; ring < Rig.RINGS; ring++) {
        assertThat(rig.nets.get(i).model().queue(ring).next().avail())
            .isEqualTo(1000 * i + 10 + ring);
      }
      assertThat(rig.nets.get(i).running()).isFalse();
      assertThat(rig.backEnds.get(i).isRunning()).isFalse();
    }
    rig.noRuleWasBroken();
  }

  @Test
  void basesAreInTheModelsBeforeAnybodyAsksForOutcomes() {
    try (Rig rig = running(2);
        var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
      stop.stop();
      assertThat(rig.net().model().ringBase(0)).isEqualTo(10);

      List<Outcome> outcomes = stop.outcomes();

      assertThat(outcomes).allMatch(Outcome::complete);
      assertThat(outcomes.getFirst().waits()).isEqualTo(1);
      assertThat(outcomes.get(1).bases()).contains(1010, 1011);
      isStoppedWhereItWas(rig);
      assertThatThrownBy(stop::stop).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void aDeviceThatChangedSinceIsPlannedWhenDue() {
    try (Rig rig = running(1);
        var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
      rig.setQueuePairs(2);
      rig.ringsAreAtSomeIndex();

      stop.stop();

      assertThat(stop.outcomes()).allMatch(Outcome::complete);
      assertThat(rig.net().running()).isFalse();
      assertThat(rig.backEnd().isRunning()).isFalse();
    }
  }

  /** Then guest memory says how far it got, as far as it does. */
  @Test
  void aBackEndThatGoesLeavesItsUsedIndexes() {
    try (Rig rig = running(2);
        var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
      rig.backEnd()
          .arm(
              Faults.none().at(FrontEndRequest.GET_VRING_BASE, 1, new Faults.Wrong.HangUpBefore()));

      stop.stop();

      List<Outcome> outcomes = stop.outcomes();
      assertThat(outcomes.get(0).failure()).isInstanceOf(VhostException.class);
      assertThat(outcomes.get(1).complete()).isTrue();
      assertThat(rig.net().model().ringBase(1)).isEqualTo(11);
      assertThat(rig.nets.get(1).model().ringBase(1)).isEqualTo(1011);
    }
  }
}
