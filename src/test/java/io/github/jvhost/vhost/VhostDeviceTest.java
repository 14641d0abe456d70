package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.RingShadow;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Devices of any kind, told their plans side by side. */
class VhostDeviceTest {
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

  private static VhostDevice connect(Configs configs, MockBackEnd backEnd) {
    return VhostDevice.connect(
        VhostDeviceOptions.of(
            "nic",
            backEnd.socket(),
            backEnd.offer().dialect(),
            BackEndProfile.GENERIC,
            configs.ledger));
  }

  @Test
  void oneThatFailsDoesNotKeepTheOthersFromFinishing(MockBackEnd backEnd) {
    try (Configs configs = new Configs();
        VhostDevice gone = connect(configs, backEnd)) {
      gone.disconnect(); // a mock back end has one connection at a time
      try (VhostDevice there = connect(configs, backEnd)) {
        List<VhostDevice> both = List.of(gone, there);
        List<Plan> plans = both.stream().map(d -> d.plan(configs.running(2))).toList();

        List<Outcome> outcomes = VhostDevice.executeAll(both, plans, Rig.soon());

        assertThat(outcomes.get(0).failure()).hasMessageContaining("there is no connection");
        assertThat(outcomes.get(1).complete()).isTrue();
        assertThat(there.shadow().ring(3).run()).isEqualTo(RingShadow.Run.STARTED);
        assertThat(gone.shadow().ring(3).run()).isNotEqualTo(RingShadow.Run.STARTED);
      }
    }
  }

  @Test
  void eachHasAPlanOfItsOwn() {
    assertThatThrownBy(() -> VhostDevice.executeAll(List.of(), List.of(plan()), Rig.soon()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("1 plans for 0 devices");
  }

  private static Plan plan() {
    BackEndCapabilities can = Configs.backEnd(BackEndProfile.GENERIC);
    return new Plan(List.of(), can, DeviceConfig.Lifecycle.STOPPED, 0, Plan.End.NOTHING);
  }
}
