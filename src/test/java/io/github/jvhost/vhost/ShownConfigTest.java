package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a driver has read of the config space, and what it would read now: wherever they differ it
 * is interrupted, because one without GUEST_ANNOUNCE has no other reason to look.
 */
@Timeout(120)
class ShownConfigTest {
  private static final BackEndOffer OFFER = BackEndOffer.of(Personality.GENERIC);

  @TempDir private Path dir;

  /** The config spaces that a driver reads when it is interrupted for it. */
  private static List<String> shown(VirtioNet model) {
    List<String> shown = new ArrayList<>();
    model.onChange(change -> {
      if (change == DeviceChange.CONFIG_INTERRUPT) {
        shown.add(HexFormat.of().formatHex(model.readConfig(6, 2)));
      }
    });
    return shown;
  }

  /** Two devices alike; the driver of the first knows no announcements. */
  private Rig rig() {
    Rig rig = new Rig(dir, 2, OFFER, BackEndProfile.GENERIC);
    VhostNet source = rig.net();
    source.access(() -> {
      VirtioNet model = source.model();
      model.setStatus(3);
      model.setDriverFeatures(model.deviceFeatures() & ~NetFeature.GUEST_ANNOUNCE.mask());
      model.setStatus(0xb);
      for (int ring = 0; ring <= Rig.RINGS; ring++) {
        Rig.setUp(model, 0, ring);
      }
      model.setStatus(0xf);
    });
    assertThat(source.running()).isTrue();
    return rig;
  }

  @Test
  void aLinkThatWasLostAtTheSourceIsUpAtTheDestinationAndTheDriverHears()
      throws InterruptedException {
    CountDownLatch lost = new CountDownLatch(1);
    BackEndWatch.Listener listener =
        new BackEndWatch.Listener() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            lost.countDown();
          }
        };
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, listener)) {
      watch.watch(rig.net(), new ReconnectPolicy.Fixed(Duration.ofDays(1), 0));
      rig.backEnd().close();
      assertThat(lost.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(rig.net().model().linkUp()).isFalse();
      VirtioNetState state = rig.net().snapshot();

      VhostNet destination = rig.nets.getLast();
      List<String> shown = shown(destination.model());
      destination.restore(state);

      assertThat(shown).containsExactly("0100");
      assertThat(destination.start().complete()).isTrue();
      assertThat(destination.announce()).as("by its back end only").isTrue();
      assertThat(shown).hasSize(1);
      watch.unwatch(rig.net());
    }
  }

  @Test
  void whatIsAsItWasIsNoReasonForAnInterrupt() {
    try (Rig rig = rig()) {
      VhostNet destination = rig.nets.getLast();
      List<String> shown = shown(destination.model());
      destination.restore(rig.net().snapshot());
      assertThat(destination.start().complete()).isTrue();
      assertThat(shown).isEmpty();
    }
  }

  @Test
  void aMigratedDriverThatHasNoBackEndHereSeesItsLinkDown() {
    try (Rig rig = rig()) {
      VhostNet destination = rig.nets.getLast();
      rig.backEnds.getLast().close();
      assertThat(destination.stop().complete()).isTrue(); // of a device that never ran: no message
      assertThat(lose(destination)).isTrue();
      List<String> shown = shown(destination.model());

      destination.restore(rig.net().snapshot());

      assertThat(shown.getLast()).isEqualTo("0000");
      assertThat(destination.snapshot().net().status() & 1).as("and takes it along").isOne();
    }
  }

  private static boolean lose(VhostNet net) {
    try {
      net.ask(RoundTrip::features);
      return false;
    } catch (VhostException e) {
      return !net.connected();
    }
  }
}
