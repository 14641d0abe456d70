package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device whose back end goes away by itself, and comes back or does not. */
class BackEndWatchTest {
  private static final ReconnectPolicy SOON =
      new ReconnectPolicy.BackOff(Duration.ofMillis(1), Duration.ofMillis(20), 0);

  @TempDir private Path dir;

  /** What a watch says, in order. */
  private static class Told implements BackEndWatch.Listener {
    private final BlockingQueue<String> all = new LinkedBlockingQueue<>();

    @Override
    public void lost(VhostNet net, VhostException why) {
      all.add("lost");
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

  private static BackEndOffer offer() {
    return BackEndOffer.of(io.github.jvhost.testkit.Personality.GENERIC);
  }

  @Test
  void aRunningDeviceComesBackWhereItsRingsWere() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      rig.used(0, 0, 17);
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).isEqualTo("running");
      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().model().linkUp()).isTrue();
      assertThat(rig.net().model().queue(0).next().avail()).isEqualTo(17);
      assertThat(rig.backEnd().ring(0).orElseThrow().started()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void withoutABackEndTheLinkIsDownAndTheGuestGoesOn() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      rig.backEnd().close();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(rig.net().model().linkUp()).isFalse();
      assertThat(rig.net().running()).isFalse();
      rig.net().access(() -> rig.net().model().readConfig(0, 6)); // no failure of the guest's
      rig.setQueuePairs(2); // nor when it wants something of the back end
      rig.replaceBackEnd(offer());
      assertThat(told.next()).isEqualTo("running");
      assertThat(rig.net().model().linkUp()).isTrue();
      assertThat(rig.backEnd().ring(2).orElseThrow().enabled()).isTrue();
    }
  }

  @Test
  void whatTheEmbedderPulledStaysPulled() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      rig.net().access(() -> rig.net().model().linkUp(false));
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).isEqualTo("connected");
      assertThat(rig.net().model().linkUp()).isFalse();
      assertThat(rig.net().running()).isFalse();
    }
  }

  @Test
  void aDeviceThatWasStoppedIsOnlyConnected() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      rig.net().stop(); // as the source of a migration does; its guest runs elsewhere by now
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).isEqualTo("connected");
      assertThat(rig.net().running()).isFalse();
      assertThat(rig.backEnd().isRunning()).isFalse();
    }
  }

  /** The device may have another watch by then. */
  @Test
  void aWatchThatItsListenerHasEndedSaysNoMore() throws InterruptedException {
    var ending = new AtomicReference<BackEndWatch>();
    Told told =
        new Told() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            Objects.requireNonNull(ending.get()).unwatch(net);
            super.lost(net, why);
          }
        };
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC)) {
      try (BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
        ending.set(watch);
        watch.watch(rig.net(), new ReconnectPolicy.Never());
        rig.driveAll();
        rig.net().start();
        rig.backEnd().hangUp();
        assertThat(told.next()).isEqualTo("lost");
      } // waits for the device's thread
      assertThat(told.all).isEmpty();
    }
  }

  @Test
  void neverIsNever() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      rig.driveAll();
      rig.net().start();
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).startsWith("given up: ");
      assertThat(rig.net().connected()).isFalse();
      rig.net().reconnect(); // but whoever says so may
      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().model().linkUp()).isTrue();
    }
  }

  @Test
  void aLimitIsKept() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), new ReconnectPolicy.Fixed(Duration.ofMillis(1), 3));
      rig.driveAll();
      rig.net().start();
      rig.backEnd().close();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).startsWith("given up: ").contains("no such socket");
    }
  }

  @Test
  void attemptsAreCancelled() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC)) {
      BackEndWatch watch = BackEndWatch.start(rig.ledger, told);
      watch.watch(rig.net(), new ReconnectPolicy.Fixed(Duration.ofDays(1), 0));
      rig.driveAll();
      rig.net().start();
      rig.backEnd().close();
      assertThat(told.next()).isEqualTo("lost");
      watch.close(); // returns, though the next attempt is a day away
      assertThat(Thread.getAllStackTraces().keySet())
          .noneMatch(t -> t.getName().startsWith("jvhost-"));
    }
  }

  @Test
  void aDeviceThatSomebodyElseConnectsIsWatchedAtOnce() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), new ReconnectPolicy.Fixed(Duration.ofDays(1), 0));
      rig.driveAll();
      rig.net().start();
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      rig.net().reconnect(); // the watch's next attempt is a day away
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
    }
  }

  @Test
  void packedRingsThatNobodyKnowsWaitForTheDriversReset() throws InterruptedException {
    BackEndOffer packed =
        offer().withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, packed, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      assertThat(rig.net().model().packed()).isTrue();
      rig.net().start();
      rig.packedUsed(0, 0); // the device has used the first descriptor, and who knows how many more
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).startsWith("given up: ").contains("the driver has to reset");
      assertThat(rig.net().model().linkUp()).isFalse();

      rig.net().access(() -> rig.net().model().setStatus(0));
      assertThat(rig.net().model().linkUp()).isTrue();
      rig.net().access(() -> Rig.drive(rig.net(), 0));
      assertThat(rig.net().running()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void packedRingsOfWhichNothingWasUsedGoOn() throws InterruptedException {
    BackEndOffer packed =
        offer().withFeatures(BackEndOffer.DEFAULT_FEATURES | NetFeature.RING_PACKED.mask());
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, packed, BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      MockBackEnd first = rig.backEnd();
      first.hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).isEqualTo("running");
    }
  }

  @Test
  void aBackEndThatGoesAgainAndAgainIsFollowed() throws InterruptedException {
    CountDownLatch recoveries = new CountDownLatch(20);
    BackEndWatch.Listener again =
        new BackEndWatch.Listener() {
          @Override
          public void recovered(VhostNet net, int attempts, boolean running) {
            recoveries.countDown();
          }
        };
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, again)) {
      watch.watch(rig.net(), SOON);
      rig.driveAll();
      rig.net().start();
      Deadline end = Rig.soon();
      SplittableRandom random = new SplittableRandom();
      while (recoveries.getCount() > 0 && !end.expired()) {
        rig.backEnd().hangUp(); // also just as it comes back, before anybody took note of that
        LockSupport.parkNanos(random.nextLong(30_000_000));
      }
      assertThat(recoveries.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(rig.comesToRun(0, end)).as("whenever the last loss was").isTrue();
    }
  }

  @Test
  void whatWasLostBeforeAnybodyWatchedIsBroughtBack() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      rig.driveAll();
      rig.net().start();
      rig.backEnd().hangUp();
      BackEndRecord record = rig.backEnd().record();
      assertThat(record.await(r -> r.disconnections() == 1, Rig.soon())).isTrue();
      assertThatThrownBy(() -> rig.net().ask(RoundTrip::features))
          .isInstanceOf(VhostException.class);
      assertThat(rig.net().connected()).isFalse();
      watch.watch(rig.net(), SOON);
      assertThat(told.next()).isEqualTo("lost");
      assertThat(told.next()).isEqualTo("running");
    }
  }

  @Test
  void aDeviceIsWatchedOnceAndByAWatchThatIsOpen() {
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC)) {
      BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE);
      watch.watch(rig.net(), SOON);
      assertThatThrownBy(() -> watch.watch(rig.net(), SOON))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("net0 is watched already");
      watch.close();
      watch.close();
      assertThatThrownBy(() -> watch.watch(rig.net(), SOON))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the watch is closed");
    }
  }

  @Test
  void oneWatchIsEnoughForManyDevices() throws InterruptedException {
    Told told = new Told();
    try (Rig rig = new Rig(dir, 12, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      rig.nets.forEach(net -> watch.watch(net, SOON));
      for (int i : new int[] {11, 0}) {
        rig.backEnds.get(i).hangUp();
        assertThat(told.next()).isEqualTo("lost");
        assertThat(told.next()).isEqualTo("connected");
        assertThat(rig.nets.get(i).connected()).isTrue();
      }
    }
  }

  @Test
  void aListenerMayCloseTheWatchAndNothingIsTriedAnyMore() throws InterruptedException {
    BlockingQueue<BackEndWatch> known = new LinkedBlockingQueue<>();
    Told told =
        new Told() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            known.forEach(BackEndWatch::close);
            super.lost(net, why);
          }
        };
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, told)) {
      known.add(watch);
      watch.watch(rig.net(), SOON);
      rig.backEnd().hangUp();
      assertThat(told.next()).isEqualTo("lost");
      assertThatThrownBy(() -> watch.watch(rig.net(), SOON))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the watch is closed");
      assertThat(rig.net().connected()).isFalse();
    }
  }

  /** A switch has gone, and so has each device of a guest. */
  @Test
  void listenersMayEndTheWatchOfEachOthersDevices() throws InterruptedException {
    BlockingQueue<BackEndWatch> known = new LinkedBlockingQueue<>();
    CountDownLatch both = new CountDownLatch(2);
    CountDownLatch returned = new CountDownLatch(2);
    try (Rig rig = new Rig(dir, 2, offer(), BackEndProfile.GENERIC)) {
      BackEndWatch.Listener other =
          new BackEndWatch.Listener() {
            @Override
            public void lost(VhostNet net, VhostException why) {
              both.countDown();
              try {
                assertThat(both.await(20, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
              VhostNet second = rig.nets.get(net.equals(rig.net()) ? 1 : 0);
              known.forEach(watch -> watch.unwatch(second));
              returned.countDown();
            }
          };
      try (BackEndWatch watch = BackEndWatch.start(rig.ledger, other)) {
        known.add(watch);
        rig.nets.forEach(net -> watch.watch(net, SOON));
        rig.backEnds.forEach(MockBackEnd::hangUp);
        assertThat(returned.await(20, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  @Test
  void whoeverIsInterruptedClosesItAndStaysInterrupted() {
    try (Rig rig = new Rig(dir, 1, offer(), BackEndProfile.GENERIC)) {
      BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE);
      watch.watch(rig.net(), SOON);
      Thread.currentThread().interrupt();
      watch.close();
      assertThat(Thread.interrupted()).isTrue();
      assertThatThrownBy(() -> watch.watch(rig.net(), SOON))
          .isInstanceOf(IllegalStateException.class);
    }
  }
}
