package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.NetState;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a vCPU does in a guest's interrupt handler, and a kick, while a transition of the same
 * device waits for its back end: none of it waits.
 */
class WaitsForNobodyTest {
  private static final int CONFIG_CHANGED = 2;

  @TempDir private Path dir;

  private final StillBackEnd backEnd = new StillBackEnd();

  @Test
  void aKickAndTheRegistersOfAnInterruptHandler() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.driveAll();
      rig.net().model().interruptStatus(CONFIG_CHANGED);
      StillBackEnd.at(rig, FrontEndRequest.SET_FEATURES);
      FutureTask<Outcome> starting = StillBackEnd.elsewhere(() -> rig.net().start());
      try {
        VhostNet net = rig.net();
        backEnd.meanwhile(() -> {
          net.kick(1);
          return null;
        });
        assertThat(rig.eventfds.getFirst().get(1).kick().drain()).isEqualTo(1);
        assertThat(backEnd.meanwhile(() -> net.model().interruptStatus()))
            .isEqualTo(CONFIG_CHANGED);
        long before = backEnd.meanwhile(() -> net.model().changes());
        assertThat(backEnd.meanwhile(() -> net.model().clearInterruptStatus(CONFIG_CHANGED)))
            .isEqualTo(CONFIG_CHANGED);
        assertThat(backEnd.meanwhile(() -> net.model().interruptStatus())).isZero();
        assertThat(backEnd.meanwhile(() -> net.model().changes()))
            .as("a snapshot would be another one")
            .isGreaterThan(before);
        byte[] config = backEnd.meanwhile(() -> net.model().readConfig(0, 8));
        assertThat(config[6]).isEqualTo((byte) NetState.LINK_UP);
        assertThat(backEnd.meanwhile(() -> net.model().status())).isEqualTo(0xf);
        assertThat(backEnd.meanwhile(() -> net.model().controlQueue())).isEqualTo(Rig.RINGS);
        assertThat(backEnd.meanwhile(net::running)).isFalse();
        assertThat(backEnd.meanwhile(net::shadow)).isEqualTo(Shadow.nothingHeld());
        assertThat(backEnd.meanwhile(net::capabilities).notifiesInBand()).isFalse();
        assertThat(starting.isDone()).isFalse();
      } finally {
        backEnd.goOn();
      }
      assertThat(starting.get(20, TimeUnit.SECONDS).complete()).isTrue();
      assertThat(rig.net().running()).isTrue();
    }
  }

  @Test
  void aKickThatIsAMessageIsSentBehindTheTransition() throws Exception {
    try (Rig rig = backEnd.rig(dir, ProtocolFeature.INBAND_NOTIFICATIONS)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      net.ask(RoundTrip::features); // the kicks of the start were handled
      long kicks = rig.backEnd().record().count(FrontEndRequest.VRING_KICK);
      StillBackEnd.at(rig, FrontEndRequest.NET_SET_MTU);
      FutureTask<?> changing =
          StillBackEnd.elsewhere(() -> net.access(() -> net.model().mtu(1400)));
      try {
        backEnd.meanwhile(() -> {
          net.kick(1);
          net.kick(1);
          return null;
        });
        assertThat(changing.isDone()).isFalse();
      } finally {
        backEnd.goOn();
      }
      changing.get(20, TimeUnit.SECONDS);
      // The change itself disturbs no ring, so none is woken for it.
      assertThat(
              rig.backEnd()
                  .record()
                  .await(r -> r.count(FrontEndRequest.VRING_KICK) > kicks, Rig.soon()))
          .isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aKickOfAClosedDeviceIsRefusedWithoutWaiting() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      rig.net().close();
      assertThatThrownBy(() -> rig.net().kick(0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("net0: closed");
    }
  }

  @Test
  void aKickFindsTheEventfdsThatReplaceThoseThatAreClosed() throws Exception {
    try (Rig rig = backEnd.rig(dir)) {
      VhostNet net = rig.net();
      AtomicBoolean over = new AtomicBoolean();
      FutureTask<?> kicking =
          StillBackEnd.elsewhere(() -> {
            while (!over.get()) {
              net.kick(0);
            }
          });
      try {
        for (int i = 0; i < 2000 && !kicking.isDone(); i++) {
          net.changeEventfds(0, RingEventfds.create(rig.ledger, "other", 1).getFirst()).close();
        }
      } finally {
        over.set(true);
      }
      kicking.get(20, TimeUnit.SECONDS); // an ExecutionException: it has met one that is closed
      net.changeEventfds(0, rig.eventfds.getFirst().get(1)).close();
    }
  }

  @Test
  void kicksOfManyThreadsReachTheBackEndAsMessages() throws Exception {
    try (Rig rig = backEnd.rig(dir, ProtocolFeature.INBAND_NOTIFICATIONS)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      net.ask(RoundTrip::features);
      for (int round = 1; round <= 200; round++) {
        long before = rig.backEnd().record().count(FrontEndRequest.VRING_KICK);
        List<FutureTask<?>> kicks =
            List.of(
                StillBackEnd.elsewhere(() -> net.kick(0)),
                StillBackEnd.elsewhere(() -> net.kick(1)));
        for (FutureTask<?> kick : kicks) {
          kick.get(20, TimeUnit.SECONDS);
        }
        assertThat(
                rig.backEnd()
                    .record()
                    .await(r -> r.count(FrontEndRequest.VRING_KICK) == before + 2, Rig.soon()))
            .as("round %d", round)
            .isTrue();
      }
    }
  }
}
