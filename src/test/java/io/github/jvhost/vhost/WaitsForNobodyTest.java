package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.virtio.NetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
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

  /** A back end that asks something in the middle of a plan, and is not answered yet. */
  private static final class StillBackEnd implements BackEndEvents {
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch answer = new CountDownLatch(1);

    @Override
    public void configChanged() {
      asked.countDown();
      try {
        assertThat(answer.await(60, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    static Faults at(FrontEndRequest request) {
      var question =
          new Faults.Wrong.AskFirst(BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE);
      return Faults.none().at(request, 1, question);
    }
  }

  private Rig rig(ProtocolFeature... wanted) {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .with(ProtocolFeature.BACKEND_REQ)
            .with(ProtocolFeature.CONFIG)
            .with(ProtocolFeature.INBAND_NOTIFICATIONS);
    Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    VhostDeviceOptions options =
        rig.options(0, Duration.ofSeconds(60)).withEvents(backEnd).with(ProtocolFeature.CONFIG);
    for (ProtocolFeature feature : wanted) {
      options = options.with(feature);
    }
    rig.nets.add(rig.connect(0, options));
    return rig;
  }

  private static <T> FutureTask<T> elsewhere(Callable<T> work) {
    var task = new FutureTask<>(work);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static FutureTask<?> elsewhere(Runnable work) {
    return elsewhere(() -> {
      work.run();
      return null;
    });
  }

  /** The answer of a call that is made while the back end stands still. */
  private <T> T meanwhile(Callable<T> call) throws Exception {
    assertThat(backEnd.asked.await(20, TimeUnit.SECONDS)).as("the transition waits").isTrue();
    FutureTask<T> task = elsewhere(call);
    return task.get(20, TimeUnit.SECONDS); // a TimeoutException: it has waited
  }

  @Test
  void aKickAndTheRegistersOfAnInterruptHandler() throws Exception {
    try (Rig rig = rig()) {
      rig.driveAll();
      rig.net().model().interruptStatus(CONFIG_CHANGED);
      rig.backEnd().arm(StillBackEnd.at(FrontEndRequest.SET_FEATURES));
      FutureTask<Outcome> starting = elsewhere(() -> rig.net().start());
      try {
        VhostNet net = rig.net();
        meanwhile(() -> {
          net.kick(1);
          return null;
        });
        assertThat(rig.notifiers.getFirst().get(1).kick().drain()).isEqualTo(1);
        assertThat(meanwhile(() -> net.model().interruptStatus())).isEqualTo(CONFIG_CHANGED);
        long before = meanwhile(() -> net.model().changes());
        assertThat(meanwhile(() -> net.model().clearInterruptStatus(CONFIG_CHANGED)))
            .isEqualTo(CONFIG_CHANGED);
        assertThat(meanwhile(() -> net.model().interruptStatus())).isZero();
        assertThat(meanwhile(() -> net.model().changes()))
            .as("a snapshot would be another one")
            .isGreaterThan(before);
        byte[] config = meanwhile(() -> net.model().readConfig(0, 8));
        assertThat(config[6]).isEqualTo((byte) NetState.LINK_UP);
        assertThat(meanwhile(() -> net.model().status())).isEqualTo(0xf);
        assertThat(meanwhile(() -> net.model().controlQueue())).isEqualTo(Rig.RINGS);
        assertThat(meanwhile(net::running)).isFalse();
        assertThat(meanwhile(net::shadow)).isEqualTo(Shadow.nothingTold());
        assertThat(meanwhile(net::capabilities).notifiesInBand()).isFalse();
        assertThat(starting.isDone()).isFalse();
      } finally {
        backEnd.answer.countDown();
      }
      assertThat(starting.get(20, TimeUnit.SECONDS).complete()).isTrue();
      assertThat(rig.net().running()).isTrue();
    }
  }

  @Test
  void aKickThatIsAMessageIsSentBehindTheTransition() throws Exception {
    try (Rig rig = rig(ProtocolFeature.INBAND_NOTIFICATIONS)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      net.ask(VhostUserFrontEnd::getFeatures); // the kicks of the start were handled
      long kicks = rig.backEnd().record().count(FrontEndRequest.VRING_KICK);
      rig.backEnd().arm(StillBackEnd.at(FrontEndRequest.NET_SET_MTU));
      FutureTask<?> changing = elsewhere(() -> net.access(() -> net.model().mtu(1400)));
      try {
        meanwhile(() -> {
          net.kick(1);
          net.kick(1);
          return null;
        });
        assertThat(changing.isDone()).isFalse();
      } finally {
        backEnd.answer.countDown();
      }
      changing.get(20, TimeUnit.SECONDS);
      // Each ring is woken once behind a change, and ring 1 was kicked besides.
      assertThat(
              rig.backEnd()
                  .record()
                  .await(r -> r.count(FrontEndRequest.VRING_KICK) > kicks + Rig.RINGS, Rig.soon()))
          .isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aKickOfAClosedDeviceIsRefusedWithoutWaiting() throws Exception {
    try (Rig rig = rig()) {
      rig.net().close();
      assertThatThrownBy(() -> rig.net().kick(0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("net0: closed");
    }
  }

  @Test
  void kicksOfManyThreadsReachTheBackEndAsMessages() throws Exception {
    try (Rig rig = rig(ProtocolFeature.INBAND_NOTIFICATIONS)) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      net.ask(VhostUserFrontEnd::getFeatures);
      for (int round = 1; round <= 200; round++) {
        long before = rig.backEnd().record().count(FrontEndRequest.VRING_KICK);
        List<FutureTask<?>> kicks =
            List.of(elsewhere(() -> net.kick(0)), elsewhere(() -> net.kick(1)));
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
