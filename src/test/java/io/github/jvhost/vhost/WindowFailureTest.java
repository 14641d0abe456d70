package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Windows that were made ahead of time, at back ends that fail or are unlike the others. */
@Timeout(60)
class WindowFailureTest {
  @TempDir private Path dir;

  private static Faults hangsUpAtBases(int... which) {
    Faults faults = Faults.none();
    for (int nth : which) {
      faults = faults.at(FrontEndRequest.SET_VRING_BASE, nth, new Faults.Wrong.HangUpBefore());
    }
    return faults;
  }

  /** Its kicks are messages: the plan has to be over before they can be sent. */
  @Test
  void aBackEndWithInBandNotificationsIsKickedBehindItsStart() {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .with(ProtocolFeature.BACKEND_REQ)
            .with(ProtocolFeature.BACKEND_SEND_FD)
            .with(ProtocolFeature.INBAND_NOTIFICATIONS);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VhostDeviceOptions inBand =
          rig.options(0, Duration.ofSeconds(10)).with(ProtocolFeature.INBAND_NOTIFICATIONS);
      rig.nets.add(rig.connect(0, inBand));
      rig.driveAll();

      List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(results).allMatch(StartResult::running);
      rig.net().ask(RoundTrip::features); // everything before it has arrived
      assertThat(rig.backEnd().record().count(FrontEndRequest.VRING_KICK)).isEqualTo(Rig.RINGS);
    }
  }

  @Test
  void aDeviceWithoutRingsStopsWithoutAnAnswerToWaitFor() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.DPDK), BackEndProfile.GENERIC)) {
      Rig.negotiate(rig.net().model());
      rig.net().model().setStatus(0xf);
      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      List<Outcome> outcomes = VhostNetGroup.stop(rig.nets, StartOrder.PLANNED);

      assertThat(outcomes).allMatch(Outcome::complete);
      assertThat(rig.net().connected()).isTrue();
    }
  }

  @Test
  void basesThatCameBeforeTheFailureCount() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
      rig.backEnd()
          .arm(
              Faults.none().at(FrontEndRequest.GET_VRING_BASE, 4, new Faults.Wrong.HangUpBefore()));

      Outcome outcome = VhostNetGroup.stop(rig.nets, StartOrder.PLANNED).getFirst();

      assertThat(outcome.failure()).isNotNull();
      assertThat(outcome.stepsTaken()).isEqualTo(3);
      assertThat(outcome.bases()).startsWith(10, 11, 12);
    }
  }

  @Test
  void oneThatCannotBeStartedKeepsNoOtherFromBeingWoken() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.backEnd().arm(hangsUpAtBases(1, 2, 3));

      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        assertThatThrownBy(window::start).isInstanceOf(VhostException.class);
      }

      assertThat(rig.net().running()).isFalse();
      assertThat(rig.nets.get(1).running()).isTrue();
      assertThat(rig.eventfds.get(1).getFirst().call().drain()).as("call").isPositive();
    }
  }

  @Test
  void whatWasTakenUpOnceIsNotTakenUpAgainAtTheClose() {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.backEnd().arm(hangsUpAtBases(1, 2));
      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        assertThatThrownBy(window::start).isInstanceOf(VhostException.class);
        rig.backEnd().arm(Faults.none());
        rig.net().reconnect().orThrow();
      }
      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().shadow().anyRingMayRun()).isTrue();
    }
  }

  @Test
  void theLongestBoundOfAllIsEverybodys() {
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      for (int i = 0; i < 2; i++) {
        rig.addBackEnd(Faults.none());
        rig.nets.add(rig.connect(i, Duration.ofSeconds(1 + 9 * i)));
      }
      assertThat(GroupTransition.longestDeadline(rig.nets, VhostNet::transitionDeadline).allowed())
          .isEqualTo(Duration.ofSeconds(10));
    }
  }
}
