package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
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
 * Another back end in the place of the one before, which can less or more: what counts is what the
 * device has in use.
 */
@Timeout(120)
class OtherBackEndTest {
  private static final BackEndOffer FULL =
      BackEndOffer.of(Personality.GENERIC)
          .with(ProtocolFeature.CONFIGURE_MEM_SLOTS)
          .with(ProtocolFeature.RESET_DEVICE);
  private static final long LEAST = NetFeature.VERSION_1.mask() | NetFeature.CTRL_VQ.mask();

  @TempDir private Path dir;

  /** The driver negotiates no more than this and uses one queue pair. */
  private static void driveWith(VhostNet net, long features) {
    VirtioNet model = net.model();
    model.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    model.setDriverFeatures(features);
    model.setStatus(0xb);
    for (int ring = 0; ring < 2; ring++) {
      Rig.setUp(model, 0, ring);
    }
    model.setStatus(0xf);
  }

  static Stream<BackEndOffer> lessThanBefore() {
    return Stream.of(
        FULL.withFeatures(FULL.features() & ~NetFeature.MRG_RXBUF.mask()),
        FULL.withFeatures(FULL.features() & ~VhostFeature.LOG_ALL),
        FULL.withMemorySlots(8),
        FULL.without(ProtocolFeature.CONFIGURE_MEM_SLOTS),
        FULL.without(ProtocolFeature.RESET_DEVICE).without(ProtocolFeature.RARP),
        FULL.without(ProtocolFeature.MQ).withQueuePairs(1),
        FULL.without(ProtocolFeature.REPLY_ACK).without(ProtocolFeature.STATUS));
  }

  @ParameterizedTest
  @MethodSource("lessThanBefore")
  void whatNobodyUsesIsNotMissed(BackEndOffer less) {
    try (Rig rig = new Rig(dir, 1, FULL, BackEndProfile.GENERIC)) {
      VhostNet net = rig.net();
      net.access(() -> driveWith(net, LEAST));
      assertThat(net.running()).isTrue();
      rig.replaceBackEnd(less);

      assertThat(net.reconnect().complete()).isTrue();

      assertThat(rig.backEnd().isRunning()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aDriverThatBeginsAnewIsOfferedWhatTheNewBackEndHas() {
    try (Rig rig = new Rig(dir, 1, FULL, BackEndProfile.GENERIC)) {
      VhostNet net = rig.net();
      long before = net.model().deviceFeatures();
      net.access(() -> driveWith(net, LEAST));
      rig.replaceBackEnd(
          FULL.withFeatures(FULL.features() & ~NetFeature.MRG_RXBUF.mask()).withQueuePairs(1));
      assertThat(net.reconnect().complete()).isTrue();

      net.access(() -> net.model().setStatus(0));
      long gone = NetFeature.maskOf(NetFeature.MRG_RXBUF, NetFeature.MQ);
      assertThat(net.model().deviceFeatures()).isEqualTo(before & ~gone);

      rig.replaceBackEnd(FULL);
      assertThat(net.reconnect().complete()).isTrue();
      assertThat(net.model().deviceFeatures()).as("it is all there again").isEqualTo(before);
    }
  }

  @Test
  void pairsThatTheDeviceHasNotAreNotMissed() {
    try (Rig rig = new Rig(dir, 1, FULL, BackEndProfile.GENERIC)) {
      rig.driveAll();
      rig.net().start();
      rig.replaceBackEnd(FULL.withQueuePairs(Rig.PAIRS)); // of eight, and the device has two
      assertThat(rig.net().reconnect().complete()).isTrue();
    }
  }

  @Test
  void whatIsInUseIsNamedWhereItIsMissing() {
    try (Rig rig = new Rig(dir, 1, FULL, BackEndProfile.GENERIC)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      refusedFor(rig, FULL.withQueuePairs(1), "it serves 1 queue pairs of 2");
      long features = FULL.features();
      refusedFor(
          rig, FULL.withFeatures(features & ~NetFeature.MRG_RXBUF.mask()), "features MRG_RXBUF");
      assertThat(net.model().linkUp()).isFalse();
      for (int i = 0; i < 8; i++) {
        rig.memory.addRegion("dimm" + i, (8L + i) << 20, 1 << 20);
      }
      refusedFor(rig, FULL.withMemorySlots(8), "it takes 8 memory regions of 9");
      try (DirtyLog log = DirtyLog.create(rig.ledger, rig.memory.table())) {
        net.migration().logTo(log);
        refusedFor(rig, FULL.without(ProtocolFeature.LOG_SHMFD), "it cannot log");
        net.migration().logTo(null);
      }

      rig.replaceBackEnd(FULL);
      assertThat(net.reconnect().complete()).isTrue();
      assertThat(net.model().linkUp()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  private static void refusedFor(Rig rig, BackEndOffer offer, String what) {
    rig.replaceBackEnd(offer);
    assertThatThrownBy(() -> rig.net().reconnect())
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith(
            "net0: the back end that came back lacks what the device has in use: ")
        .hasMessageContaining(what)
        .extracting(e -> ((VhostException) e).recovery())
        .isEqualTo(Recovery.RECONNECT);
    assertThat(rig.net().connected()).isFalse();
  }

  @Test
  void oneThatCanTooLittleNowIsTriedAgainUntilAnotherIsThere() throws InterruptedException {
    BlockingQueue<String> told = new LinkedBlockingQueue<>();
    BackEndWatch.Listener listener =
        new BackEndWatch.Listener() {
          @Override
          public void recovered(VhostNet net, int attempts, boolean running) {
            told.add(running ? "running" : "connected");
          }

          @Override
          public void givenUp(VhostNet net, VhostException why) {
            told.add("given up: " + why.getMessage());
          }
        };
    try (Rig rig = new Rig(dir, 1, FULL, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, listener)) {
      watch.watch(rig.net(), new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));
      rig.driveAll();
      rig.net().start();
      rig.replaceBackEnd(FULL.withQueuePairs(1)); // the old version, started by mistake
      BackEndRecord record = rig.backEnd().record();
      assertThat(record.await(r -> r.connections() >= 3, Rig.soon())).isTrue();
      assertThat(rig.net().model().linkUp()).isFalse();
      assertThat(told).isEmpty();

      rig.replaceBackEnd(FULL);

      assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo("running");
      assertThat(rig.net().model().linkUp()).isTrue();
      watch.unwatch(rig.net());
    }
  }
}
