package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.virtio.DeviceChange;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An embedder's callbacks that throw harm nobody: the device is brought back, each time. */
@Timeout(120)
class ThrowingListenerTest {
  private static final ReconnectPolicy SOON = new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0);

  @TempDir private Path dir;

  private Rig started(BackEndWatch watch, Rig rig, ReconnectPolicy policy) {
    watch.watch(rig.net(), policy);
    rig.driveAll();
    rig.net().start();
    return rig;
  }

  private Rig rig() {
    return new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
  }

  private static void runsAfter(Rig rig, int losses) {
    assertThat(rig.net().running()).as("after loss %d", losses).isTrue();
    assertThat(rig.backEnd().isRunning()).as("after loss %d", losses).isTrue();
    assertThat(rig.net().model().linkUp()).as("after loss %d", losses).isTrue();
  }

  private static void hears(Semaphore event, int losses) throws InterruptedException {
    assertThat(event.tryAcquire(20, TimeUnit.SECONDS)).as("loss %d", losses).isTrue();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoeverListensToTheWatch(boolean error) throws InterruptedException {
    Semaphore lost = new Semaphore(0);
    Semaphore recovered = new Semaphore(0);
    BackEndWatch.Listener throwing =
        new BackEndWatch.Listener() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            lost.release();
            fail();
          }

          @Override
          public void recovered(VhostNet net, int attempts, boolean running) {
            recovered.release();
            fail();
          }

          private void fail() {
            if (error) {
              throw new AssertionError("an error of the embedder's");
            }
            throw new IllegalStateException("an embedder's mistake");
          }
        };
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, throwing)) {
      started(watch, rig, SOON);
      for (int loss = 1; loss <= 3; loss++) {
        rig.backEnd().hangUp();
        hears(lost, loss);
        hears(recovered, loss);
        runsAfter(rig, loss);
      }
      watch.unwatch(rig.net());
    }
  }

  @Test
  void whoeverHearsThatADeviceIsGivenUp() throws InterruptedException {
    Semaphore givenUp = new Semaphore(0);
    BackEndWatch.Listener throwing =
        new BackEndWatch.Listener() {
          @Override
          public void givenUp(VhostNet net, VhostException why) {
            givenUp.release();
            throw new IllegalStateException("an embedder's mistake");
          }
        };
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, throwing)) {
      started(watch, rig, new ReconnectPolicy.Never());
      for (int loss = 1; loss <= 2; loss++) {
        rig.backEnd().hangUp();
        hears(givenUp, loss);
        rig.net().reconnect().orThrow();
        runsAfter(rig, loss);
      }
      watch.unwatch(rig.net());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoeverInterruptsTheGuest(boolean error) throws InterruptedException {
    Semaphore lost = new Semaphore(0);
    Semaphore recovered = new Semaphore(0);
    BackEndWatch.Listener listener =
        new BackEndWatch.Listener() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            lost.release();
          }

          @Override
          public void recovered(VhostNet net, int attempts, boolean running) {
            recovered.release();
          }
        };
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, listener)) {
      started(watch, rig, SOON);
      rig.net()
          .model()
          .onChange(change -> {
            if (change == DeviceChange.CONFIG_INTERRUPT && error) {
              throw new AssertionError("an error of the embedder's");
            }
            if (change == DeviceChange.CONFIG_INTERRUPT) {
              throw new IllegalStateException("an interrupt that cannot be given");
            }
          });
      for (int loss = 1; loss <= 2; loss++) {
        rig.backEnd().hangUp();
        hears(lost, loss);
        hears(recovered, loss);
        runsAfter(rig, loss);
      }
      watch.unwatch(rig.net());
    }
  }

  /** Behind the resume of a migrated guest this would close the devices of a guest that runs. */
  @Test
  void whoeverHearsOfACommandThatWaited() {
    try (Rig rig = rig()) {
      rig.driveAll();
      rig.wantQueuePairs(2);
      rig.net()
          .model()
          .onChange(change -> {
            if (change == DeviceChange.CONTROL_USED) {
              throw new AssertionError("an error of the embedder's");
            }
          });

      List<StartResult> started = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);

      assertThat(started).singleElement().matches(StartResult::running);
      assertThat(rig.answer()).isZero();
    }
  }

  @Test
  void whoeverHearsOfPlansAndLosses() {
    Observer throwing =
        new Observer() {
          @Override
          public void planFinished(String device, Plan plan, Outcome outcome) {
            throw new AssertionError("an error of the embedder's");
          }
        };
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VhostNet net = rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withObserver(throwing));
      rig.nets.add(net);
      rig.driveAll();

      net.start();

      assertThat(net.running()).isTrue();
    }
  }

  /**
   * Nobody brings it back, so its driver is asked for a reset, and the embedder's part of it fails.
   */
  @Test
  void whoeverListensToADeviceThatStaysLost() throws InterruptedException {
    BlockingQueue<String> told = new LinkedBlockingQueue<>();
    BackEndWatch.Listener listener =
        new BackEndWatch.Listener() {
          @Override
          public void lost(VhostNet net, VhostException why) {
            told.add("lost");
          }

          @Override
          public void givenUp(VhostNet net, VhostException why) {
            told.add("given up");
          }
        };
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, listener)) {
      started(watch, rig, new ReconnectPolicy.Never());
      rig.net()
          .model()
          .onChange(change -> {
            throw new AssertionError("an error of the embedder's");
          });
      rig.backEnd().hangUp();
      assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo("lost");
      assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo("given up");
      assertThat(rig.net().running()).isFalse();
      assertThat(rig.net().model().linkUp()).isFalse();
    }
  }
}
