package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.Known;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A back end that refuses, hangs up or never answers while a driver writes to its device's
 * registers: the driver's write does not fail, and the guest is shown at once that its link is
 * down.
 */
@Timeout(120)
class RefusedAtRunTimeTest {
  private static final BackEndOffer DPDK = BackEndOffer.of(Personality.DPDK);
  private static final ReconnectPolicy SOON = new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0);

  @TempDir private Path dir;

  /** What a watch says, in order. */
  private static final class Told implements BackEndWatch.Listener {
    private final BlockingQueue<String> all = new LinkedBlockingQueue<>();

    @Override
    public void lost(VhostNet net, VhostException why) {
      all.add("lost: " + why.getMessage());
    }

    @Override
    public void recovered(VhostNet net, int attempts, boolean running) {
      all.add(running ? "running" : "connected");
    }

    @Override
    public void givenUp(VhostNet net, VhostException why) {
      all.add("given up: " + why.getMessage());
    }

    String next() throws InterruptedException {
      String told = all.poll(20, TimeUnit.SECONDS);
      return told == null ? "nothing within 20 s" : told;
    }
  }

  /** The links that a driver reads when it is interrupted because the config space changed. */
  private static List<Boolean> linksShown(VhostNet net) {
    List<Boolean> shown = Collections.synchronizedList(new ArrayList<>());
    net.model()
        .onChange(change -> {
          if (change == DeviceChange.CONFIG_INTERRUPT) {
            shown.add((net.model().readConfig(6, 1)[0] & 1) != 0);
          }
        });
    return shown;
  }

  private static Faults at(FrontEndRequest request, Wrong wrong) {
    return Faults.none().at(request, 1, wrong);
  }

  // ---- nobody watches ----

  static Stream<Faults> atDriverOk() {
    return Stream.of(
        at(FrontEndRequest.SET_FEATURES, new Wrong.Refuse()),
        at(FrontEndRequest.SET_VRING_ENABLE, new Wrong.Refuse()),
        at(FrontEndRequest.SET_VRING_KICK, new Wrong.HangUpBefore()),
        at(FrontEndRequest.SET_STATUS, new Wrong.HangUpBefore()),
        at(FrontEndRequest.GET_STATUS, new Wrong.HangUpBeforeAnswer()),
        at(FrontEndRequest.GET_STATUS, new Wrong.NeverAnswers()));
  }

  @ParameterizedTest
  @MethodSource("atDriverOk")
  void aGuestWhoseBackEndFailsAtDriverOkSeesItsLinkDownAtOnce(Faults faults) {
    try (Rig rig = new Rig(dir, 0, DPDK, BackEndProfile.GENERIC)) {
      rig.addBackEnd(faults);
      List<String> heard = new ArrayList<>();
      Observer observer =
          new Observer() {
            @Override
            public void lost(String device, VhostException why) {
              heard.add("lost");
            }
          };
      VhostNet net = rig.connect(0, rig.options(0, Duration.ofSeconds(1)).withObserver(observer));
      rig.nets.add(net);
      List<Boolean> links = linksShown(net);

      net.access(() -> Rig.drive(net, 0));

      assertThat(links).as("the interrupt comes with the write").containsExactly(false);
      assertThat(heard).containsExactly("lost");
      assertThat(net.running()).isFalse();
      assertThat(net.connected()).as("what it holds is not known").isFalse();
      VirtioNet model = net.model();
      assertThat(model.status() & DeviceStatus.DRIVER_OK).as("as the driver wrote").isNotZero();

      net.access(() -> model.mtu(1400)); // whatever else its driver writes
      rig.setQueuePairs(2);
      net.access(() -> model.setStatus(0));
      net.access(() -> Rig.drive(net, 0));
      assertThat(model.linkUp()).isFalse();

      assertThat(net.reconnect().complete()).isTrue();
      assertThat(net.running()).isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();
      assertThat(links.getLast()).as("and the guest hears that it is back").isTrue();
    }
  }

  /** Such a driver sees no link. */
  private static void driveWithoutStatus(VirtioNet model) {
    model.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    model.setDriverFeatures(
        model.deviceFeatures() & ~NetFeature.maskOf(NetFeature.STATUS, NetFeature.GUEST_ANNOUNCE));
    model.setStatus(0xb);
    for (int ring = 0; ring <= Rig.RINGS; ring++) {
      Rig.setUp(model, 0, ring);
    }
    model.setStatus(0xf);
  }

  private static boolean needsReset(VirtioNet model) {
    return (model.status() & DeviceStatus.NEEDS_RESET) != 0;
  }

  @Test
  void aDriverThatSeesNoLinkIsAskedForAReset() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      VhostNet net = rig.net();
      VirtioNet model = net.model();
      rig.backEnd().arm(at(FrontEndRequest.SET_VRING_KICK, new Wrong.HangUpBefore()));
      List<Boolean> atInterrupt = new ArrayList<>();
      model.onChange(change -> {
        if (change == DeviceChange.CONFIG_INTERRUPT) {
          atInterrupt.add(needsReset(model));
        }
      });

      net.access(() -> driveWithoutStatus(model));

      assertThat(needsReset(model)).isTrue();
      assertThat(atInterrupt.getLast()).isTrue();
      assertThat(model.broken()).isFalse();
      assertThat(net.reconnect().complete()).isTrue();
      assertThat(net.running()).as("for a driver that did not look").isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();

      net.access(() -> model.setStatus(0));
      net.access(() -> driveWithoutStatus(model));
      assertThat(needsReset(model)).isFalse();
      assertThat(net.running()).isTrue();
    }
  }

  @Test
  void aDriverThatSeesNoLinkIsAskedForAResetWhenItsWatchGivesUp() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      VhostNet net = rig.net();
      VirtioNet model = net.model();
      watch.watch(net, SOON);
      net.access(() -> driveWithoutStatus(model));

      rig.backEnd().hangUp();
      assertThat(told.next()).startsWith("lost: ");
      assertThat(told.next()).isEqualTo("running");
      assertThat(needsReset(model)).as("it was brought back").isFalse();
      watch.unwatch(net);
      watch.watch(net, new ReconnectPolicy.Never());
      rig.backEnd().hangUp();
      assertThat(told.next()).startsWith("lost: ");
      assertThat(told.next()).startsWith("given up: ");

      assertThat(needsReset(model)).isTrue();
      watch.unwatch(net);
    }
  }

  @Test
  void aReconnectThatFailsLeavesNoLinkThatSeemsUp() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      List<Boolean> links = linksShown(net);
      rig.backEnd().close();

      assertThatThrownBy(net::reconnect).isInstanceOf(VhostException.class);

      assertThat(links).containsExactly(false);
      rig.replaceBackEnd(DPDK);
      assertThat(net.reconnect().complete()).isTrue();
      assertThat(links).containsExactly(false, true);
    }
  }

  @Test
  void aBackEndThatDoesNotStopAtAResetLosesItsConnection() {
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      rig.backEnd().arm(at(FrontEndRequest.GET_VRING_BASE, new Wrong.WrongId()));

      net.access(() -> net.model().setStatus(0));

      assertThat(net.connected()).as("it might write into memory that is others' now").isFalse();
      assertThat(net.model().linkUp()).isFalse();
    }
  }

  // ---- a watch does ----

  @Test
  void aRefusalAtRunTimeIsALossAndIsMadeGood() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      VhostNet net = rig.net();
      watch.watch(net, SOON);
      rig.driveAll();
      net.start();
      List<Boolean> links = linksShown(net);
      rig.backEnd().arm(at(FrontEndRequest.NET_SET_MTU, new Wrong.Refuse()));

      net.access(() -> net.model().mtu(1400)); // a register write, or a change of the VMM's

      assertThat(told.next()).startsWith("lost: net0: mtu").contains("answered 1");
      assertThat(told.next()).isEqualTo("running");
      assertThat(net.shadow().get(Fact.MTU)).isEqualTo(Known.held(1400));
      assertThat(links).as("MTU and link in one access, its return, the announcement").hasSize(4);
      assertThat(links.getLast()).isTrue();
      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.noRuleWasBroken();
      watch.unwatch(net);
    }
  }

  @Test
  void oneThatRefusesEveryStartIsGivenUpByThePolicyAndTheLinkDoesNotFlap()
      throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      VhostNet net = rig.net();
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 3));
      rig.driveAll();
      net.start();
      List<Boolean> links = linksShown(net);
      Faults faults = Faults.none();
      for (int i = 1; i <= 3; i++) {
        faults = faults.at(FrontEndRequest.SET_FEATURES, i, new Wrong.Refuse());
      }
      rig.backEnd().arm(faults);
      rig.backEnd().hangUp();

      assertThat(told.next()).startsWith("lost: ");
      assertThat(told.next())
          .as("not one loss more for each attempt that failed")
          .startsWith("given up: net0: features");
      assertThat(links).containsExactly(false);
      assertThat(net.connected()).isFalse();
      net.access(() -> net.model().mtu(1400)); // and the guest goes on

      assertThat(net.reconnect().complete()).as("the fourth time it takes it").isTrue();
      assertThat(net.model().linkUp()).isTrue();
      watch.unwatch(net);
    }
  }

  @Test
  void aDeviceThatFailsAtDriverOkIsBroughtBack() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, DPDK, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      VhostNet net = rig.net();
      watch.watch(net, SOON);
      rig.backEnd().arm(at(FrontEndRequest.SET_MEM_TABLE, new Wrong.Refuse()));

      net.access(() -> Rig.drive(net, 0));

      assertThat(told.next()).startsWith("lost: ");
      assertThat(told.next()).isEqualTo("running");
      assertThat(net.model().linkUp()).isTrue();
      watch.unwatch(net);
    }
  }

  /** A region to remember requests in, and nothing to map. */
  @Test
  void anInFlightRegionWithoutItsFileIsARefusal() {
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.INFLIGHT_SHMFD);
    try (Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC)) {
      rig.addBackEnd(at(FrontEndRequest.GET_INFLIGHT_FD, new Wrong.NoDescriptors()));
      VhostDeviceOptions options =
          rig.options(0, Duration.ofSeconds(10)).with(ProtocolFeature.INFLIGHT_SHMFD);
      rig.nets.add(rig.connect(0, options));
      rig.driveAll();
      assertThatThrownBy(() -> rig.net().start())
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("GET_INFLIGHT_FD");
      assertThat(rig.net().reconnect().complete()).isTrue();
      assertThat(rig.net().running()).as("it was wrong once").isTrue();
    }
  }
}
