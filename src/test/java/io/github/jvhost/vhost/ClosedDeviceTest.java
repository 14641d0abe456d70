package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left of a device once it is closed: it can be read, and tells nobody anything. */
class ClosedDeviceTest {
  private static final BackEndOffer DPDK = BackEndOffer.of(Personality.DPDK);

  @TempDir private Path dir;

  @Test
  void nothingIsToldToABackEndAfterTheClose() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      VhostNet net = rig.net();
      rig.driveAll();
      net.start();
      net.close();
      int connections = rig.backEnd().record().connections();

      Map<String, ThrowingCallable> calls = new LinkedHashMap<>();
      calls.put("start", net::start);
      calls.put("stop", net::stop);
      calls.put("reconnect", net::reconnect);
      calls.put("refresh", net::refresh);
      calls.put("access", () -> net.access(() -> {}));
      calls.put("linkUp", () -> net.linkUp(false));
      calls.put("kick", () -> net.kick(0));
      calls.put("signalRings", net::signalRings);
      calls.put("serviceControlQueue", net::serviceControlQueue);
      calls.put("announce", net::announce);
      calls.put("ask", () -> net.ask(RoundTrip::features));
      calls.put("watch", () -> watch.watch(net, new ReconnectPolicy.Never()));
      calls.put("logTo", () -> net.migration().logTo(null));
      calls.put("runOn", () -> net.migration().runOn());
      calls.put("a group's start", () -> VhostNetGroup.start(rig.nets, StartOrder.PLANNED));
      calls.put("a group's stop", () -> VhostNetGroup.stop(rig.nets, StartOrder.PLANNED));
      calls.forEach((name, call) ->
          assertThatThrownBy(call)
              .as(name)
              .isInstanceOf(IllegalStateException.class)
              .hasMessage("net0: closed"));

      net.close();
      watch.unwatch(net);
      assertThat(net.running()).isFalse();
      assertThat(net.connected()).isFalse();
      assertThat(net.snapshot()).isNotNull();
      assertThat(net.shadow()).isEqualTo(Shadow.nothingHeld());
      boolean live = net.read(VirtioNet::live);
      assertThat(live).isTrue();
      assertThat(rig.backEnd().record().connections()).isEqualTo(connections);
    }
  }

  @Test
  void aBackEndThatComesBackAfterTheCloseIsNotTaken() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.net().close();
      Carrier opened = rig.net().watch().openConnection();

      assertThatThrownBy(() -> rig.net().watch().recover(opened)).hasMessage("net0: closed");
    }
  }

  @Test
  void whoeverWaitsForATransitionWaitsAsLongAsTheLongest() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      VhostDeviceOptions options = rig.options(0, Duration.ofSeconds(10));
      assertThat(options.longest()).as("presetup").isEqualTo(Duration.ofSeconds(20));
      assertThat(rig.options(0, Duration.ofMinutes(1)).longest()).isEqualTo(Duration.ofMinutes(1));
    }
  }

  @Test
  void theDeviceThatMayTakeLongestSaysHowLongPresetupOfAllMayTake() {
    try (Rig rig = new Rig(dir, 2, DPDK, BackEndProfile.GENERIC)) {
      rig.net().close();
      Duration seconds = Duration.ofSeconds(10);
      VhostDeviceOptions hasty =
          rig.options(0, seconds).withBounds(seconds, Duration.ofMillis(1), seconds);
      rig.nets.set(0, rig.connect(0, hasty));
      rig.driveAll();
      List<VhostNetGroup.EarlyState> early =
          rig.nets.stream()
              .map(net -> new VhostNetGroup.EarlyState(net, net.snapshot(), 1))
              .toList();

      assertThat(
              GroupTransition.longestDeadline(early, VhostNetGroup.EarlyState::deadline).allowed())
          .isEqualTo(Duration.ofSeconds(20));
    }
  }
}
