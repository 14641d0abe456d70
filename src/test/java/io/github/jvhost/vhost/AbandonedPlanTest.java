package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Planner;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Plans that are given up before anything of them was sent. */
class AbandonedPlanTest {
  @TempDir private Path dir;

  static Stream<StartOrder> orders() {
    return Stream.of(StartOrder.PLANNED, QemuOrder.QEMU);
  }

  private Rig running() {
    Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
    rig.driveAll();
    rig.ringsAreAtSomeIndex();
    VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
    return rig;
  }

  /** The second device's stop cannot even begin, so the first one's is not sent. */
  @Test
  void aStopLeavesADeviceThatIsServedAsItWas() {
    try (Rig rig = running()) {
      Shadow held = rig.net().shadow();
      long changes = rig.net().model().changes();
      int mark = rig.backEnd().record().mark();
      try (var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
        rig.nets.get(1).close();
        rig.used(0, 0, 17); // what its back end has done meanwhile
        assertThatThrownBy(stop::stop).isInstanceOf(IllegalStateException.class);
      }

      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().shadow()).isEqualTo(held);
      assertThat(rig.net().model().changes()).as("no index was touched").isEqualTo(changes);

      rig.net().migration().runOn();
      rig.net().ask(RoundTrip::features);
      assertThat(rig.backEnd().record().names(mark))
          .as("no ring was stopped or rewound")
          .containsExactly("GET_FEATURES");
    }
  }

  @ParameterizedTest
  @MethodSource("orders")
  void aStartLeavesADeviceAsItWas(StartOrder order) {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      Shadow held = rig.net().shadow();
      int mark = rig.backEnd().record().mark();
      try (var window = new DeviceStart(rig.nets, order)) {
        rig.nets.get(1).close();
        assertThatThrownBy(window::start).isInstanceOf(IllegalStateException.class);
      }
      if (order.sideBySide()) {
        assertThat(rig.net().shadow()).isEqualTo(held);
        assertThat(rig.backEnd().record().names(mark)).isEmpty();
      }
      VhostNetGroup.start(List.of(rig.net()), StartOrder.PLANNED);
      assertThat(rig.net().running()).isTrue();
    }
  }

  /** The start that was made ahead of time is gone with it; another one is planned. */
  @Test
  void aPreparedStartThatWasGivenUpIsNotTakenForOneThatFailed() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.presetup(PresetupMode.IMPLICIT);
      rig.net().migration().prepareStart(rig.net().snapshot());
      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        rig.nets.get(1).close();
        assertThatThrownBy(window::start).isInstanceOf(IllegalStateException.class);
      }
      StartResult result = VhostNetGroup.start(List.of(rig.net()), StartOrder.PLANNED).getFirst();
      assertThat(result.fallback()).isNull();
      assertThat(rig.net().running()).isTrue();
    }
  }

  /** Of devices that are preset together, one that cannot begin leaves no other one held. */
  @Test
  void anEarlySetUpThatCannotBeginHoldsNobody() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.nets.get(1).close();

      assertThatThrownBy(() -> rig.presetup(PresetupMode.IMPLICIT))
          .isInstanceOf(IllegalStateException.class);

      assertThat(rig.net().shadow()).isEqualTo(Shadow.nothingHeld());
      rig.net().start(); // it has its turn
      assertThat(rig.net().running()).isTrue();
    }
  }

  /** What it was waited with has failed, or whoever asked for it. */
  @Test
  void anEarlySetUpWhoseWaitEndsWithAnErrorHoldsNobody() {
    try (Rig rig = new Rig(dir, 2, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.driveAll();
      // The barrier, so that nothing else is answered in its place.
      rig.backEnd()
          .arm(Faults.none().at(FrontEndRequest.GET_STATUS, 2, new Faults.Wrong.NoAnswer()));
      List<VhostNetGroup.EarlyState> early =
          rig.nets.stream()
              .map(net -> new VhostNetGroup.EarlyState(net, net.snapshot(), 1))
              .toList();

      assertThatThrownBy(() ->
              VhostNetGroup.presetup(
                  PresetupMode.IMPLICIT,
                  early,
                  () -> {
                    if (rig.backEnd().record().count(FrontEndRequest.GET_STATUS) < 2) {
                      return false; // or the barrier of the start would go unanswered
                    }
                    throw new IllegalStateException("nobody wants it any more");
                  }))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("nobody wants it any more");

      for (VhostNet net : rig.nets) {
        net.start(); // it has its turn
        assertThat(net.running()).isTrue();
      }
    }
  }

  /** Of a plan that ended in the middle: what was sent is unknown, what was not is as it was. */
  @Test
  void whatWasNotToldIsAsItWas() {
    try (Configs configs = new Configs()) {
      Shadow before = Shadow.nothingHeld();
      Plan plan = Planner.plan(before, configs.running(1), Configs.backEnd(BackEndProfile.GENERIC));
      Shadow after = before.after(plan, refusedAtTheSecondOf(2));
      assertThat(plan.steps()).hasSizeGreaterThan(2);
      assertThat(after.get(Fact.STATUS)).isEqualTo(Known.notSent());
      assertThat(after.anyRingMayRun()).isFalse();
    }
  }

  private static Outcome refusedAtTheSecondOf(int told) {
    var refusal = new BackEndRefusedException("no");
    return new Outcome(told, 1, List.of(), null, List.of(), told, 1, 0, 0, refusal);
  }
}
