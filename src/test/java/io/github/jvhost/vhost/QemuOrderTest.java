package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.Shadow;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The baseline against the order in which QEMU was seen to start a device with two queue pairs. */
class QemuOrderTest {
  /** An exclamation mark: an acknowledgement is asked for, and waited for. */
  private static final List<String> QEMU =
      List.of(
          "NET_SET_MTU!",
          "SET_VRING_ENABLE!",
          "SET_VRING_ENABLE!",
          "SET_FEATURES",
          "GET_STATUS",
          "SET_STATUS",
          "SET_MEM_TABLE!",
          "SET_VRING_NUM",
          "SET_VRING_BASE",
          "SET_VRING_ADDR",
          "SET_VRING_KICK!",
          "SET_VRING_CALL!",
          "SET_VRING_NUM",
          "SET_VRING_BASE",
          "SET_VRING_ADDR",
          "SET_VRING_KICK!",
          "SET_VRING_CALL!",
          "SET_VRING_ENABLE!",
          "SET_VRING_ENABLE!",
          "SET_FEATURES",
          "GET_STATUS",
          "SET_VRING_NUM",
          "SET_VRING_BASE",
          "SET_VRING_ADDR",
          "SET_VRING_KICK!",
          "SET_VRING_CALL!",
          "SET_VRING_NUM",
          "SET_VRING_BASE",
          "SET_VRING_ADDR",
          "SET_VRING_KICK!",
          "SET_VRING_CALL!",
          "GET_STATUS",
          "SET_STATUS");

  private static final int WAITS = 1 + 2 + 1 + 1 + 4 + 2 + 1 + 4 + 1;

  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.DPDK);

  @Test
  void onTheWire(MockBackEnd backEnd) {
    try (Configs configs = new Configs();
        VhostDevice device =
            VhostDevice.connect(
                VhostDeviceOptions.of(
                    "nic",
                    backEnd.socket(),
                    backEnd.offer().dialect(),
                    BackEndProfile.GENERIC,
                    configs.ledger))) {
      Plan plan =
          QemuOrder.QEMU.start(Shadow.nothingHeld(), configs.running(2), device.capabilities());
      int mark = backEnd.record().mark();

      Outcome outcome = device.execute(plan, Rig.soon()).orThrow();

      List<String> told = Rig.marked(backEnd.record().since(mark));
      assertThat(told.subList(0, told.size() - 1)).isEqualTo(QEMU);
      assertThat(told.getLast()).as("our barrier, which measures the work").isEqualTo("GET_STATUS");
      assertThat(outcome.waits()).isEqualTo(WAITS + 1);
      assertThat(outcome.messages()).isEqualTo(QEMU.size() + 1);
      assertThat(backEnd.isRunning()).isTrue();
    }
  }

  @Test
  void aPairThatIsNotInUseIsNotEnabled() {
    try (Configs configs = new Configs()) {
      DeviceConfig one =
          Configs.withRing(
              Configs.withRing(configs.running(2), 2, r -> Configs.enabled(r, false)),
              3,
              r -> Configs.enabled(r, false));

      List<String> steps =
          Configs.steps(
              QemuOrder.QEMU.start(
                  Shadow.nothingHeld(), one, Configs.backEnd(BackEndProfile.GENERIC)));

      assertThat(steps)
          .contains("enable 0", "enable 1", "kick 2", "kick 3")
          .doesNotContain("enable 2", "enable 3", "disable 2", "disable 3");
    }
  }
}
