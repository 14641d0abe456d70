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
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The listeners of a device are called without its lock, so that a VMM may have locks of its own.
 */
@Timeout(120)
class ListenersWithoutLockTest {
  private static final int CONFIG_CHANGED = 2;
  private static final int MTU = 1400;

  @TempDir private Path dir;

  private final BlockingQueue<Boolean> gotTheLock = new LinkedBlockingQueue<>();

  private Rig rig() {
    return new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
  }

  private static void await(CountDownLatch event) {
    try {
      assertThat(event.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void onInterrupt(VhostNet net, Runnable listener) {
    net.model()
        .onChange(change -> {
          if (change == DeviceChange.CONFIG_INTERRUPT) {
            listener.run();
          }
        });
  }

  /** What happens to a lock of the VMM that a listener takes while another thread has it. */
  private void aLockOfTheVmm(VhostNet net, ReentrantLock lock, Runnable change) throws Exception {
    CountDownLatch locked = new CountDownLatch(1);
    CountDownLatch listening = new CountDownLatch(1);
    onInterrupt(net, () -> listens(lock, listening));
    FutureTask<?> vcpu =
        StillBackEnd.elsewhere(() -> {
          lock.lock();
          try {
            locked.countDown();
            await(listening);
            net.access(() -> net.model().selectQueue(1));
          } finally {
            lock.unlock();
          }
        });
    await(locked);
    FutureTask<?> changing = StillBackEnd.elsewhere(change);
    vcpu.get(60, TimeUnit.SECONDS);
    changing.get(60, TimeUnit.SECONDS);
    assertThat(gotTheLock.poll(60, TimeUnit.SECONDS)).isTrue();
    assertThat(net.model().selectedQueue()).isEqualTo(1);
  }

  /** A listener that gives up in the end, so that this test fails instead of standing still. */
  private void listens(ReentrantLock lock, CountDownLatch listening) {
    listening.countDown();
    try {
      boolean locked = lock.tryLock(20, TimeUnit.SECONDS);
      gotTheLock.add(locked);
      if (locked) {
        lock.unlock();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aListenerWaitsForALockThatAVcpuHoldsWhileItCallsTheDevice() throws Exception {
    try (Rig rig = rig()) {
      rig.driveAll();
      rig.net().start();
      aLockOfTheVmm(rig.net(), new ReentrantLock(), () -> rig.net().linkUp(false));
      assertThat(rig.net().running()).isFalse();
    }
  }

  @Test
  void soDoesOneThatHearsOfALostBackEnd() throws Exception {
    try (Rig rig = rig();
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      rig.driveAll();
      rig.net().start();
      watch.watch(rig.net(), new ReconnectPolicy.Never());
      aLockOfTheVmm(rig.net(), new ReentrantLock(), rig.backEnd()::hangUp);
      watch.unwatch(rig.net());
    }
  }

  @Test
  void soDoesAnObserver() throws Exception {
    ReentrantLock lock = new ReentrantLock();
    CountDownLatch locked = new CountDownLatch(1);
    CountDownLatch heard = new CountDownLatch(1);
    Observer observer =
        new Observer() {
          @Override
          public void planFinished(String device, Plan plan, Outcome outcome) {
            listens(lock, heard);
          }
        };
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VhostNet net = rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withObserver(observer));
      rig.nets.add(net);
      rig.driveAll();
      FutureTask<Boolean> vcpu =
          StillBackEnd.elsewhere(() -> {
            lock.lock();
            try {
              locked.countDown();
              await(heard);
              return net.connected();
            } finally {
              lock.unlock();
            }
          });
      await(locked);
      FutureTask<Outcome> starting = StillBackEnd.elsewhere(net::start);
      assertThat(vcpu.get(60, TimeUnit.SECONDS)).isTrue();
      assertThat(starting.get(60, TimeUnit.SECONDS).complete()).isTrue();
      assertThat(gotTheLock.poll(60, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void aListenerThatChangesItsDeviceIsCalledAgainWhenItHasReturned() {
    try (Rig rig = rig()) {
      rig.driveAll();
      VhostNet net = rig.net();
      net.start();
      int[] depth = new int[1];
      List<Integer> depths = new ArrayList<>();
      onInterrupt(
          net,
          () -> {
            depth[0]++;
            depths.add(depth[0]);
            if (depths.size() < 1000) {
              net.access(() -> net.model().mtu(MTU + depths.size() % 2));
            }
            depth[0]--;
          });

      net.access(() -> net.model().mtu(MTU));

      assertThat(depths).hasSize(1000).containsOnly(1);
      assertThat(net.running()).isTrue();
    }
  }

  @Test
  void whatTheDriverReadsIsThereBeforeTheListenerIsCalled() {
    try (Rig rig = rig()) {
      rig.driveAll();
      VirtioNet model = rig.net().model();
      List<Integer> interrupts = new ArrayList<>();
      onInterrupt(rig.net(), () -> interrupts.add(model.clearInterruptStatus(CONFIG_CHANGED)));

      rig.net()
          .access(() -> {
            model.mtu(MTU);
            assertThat(model.interruptStatus()).isEqualTo(CONFIG_CHANGED);
            assertThat(model.snapshot().common().isr()).isEqualTo(CONFIG_CHANGED);
            assertThat(interrupts).as("while the device is held").isEmpty();
          });

      assertThat(interrupts).containsExactly(CONFIG_CHANGED);
      assertThat(model.interruptStatus()).isZero();
    }
  }

  /** The thread that changes the device meanwhile does not wait for the listener. */
  @Test
  void changesOfTwoThreadsAreHeardInTheirOrder() throws Exception {
    try (Rig rig = rig()) {
      VhostNet net = rig.net();
      CountDownLatch listening = new CountDownLatch(1);
      CountDownLatch goOn = new CountDownLatch(1);
      List<DeviceChange> heard = Collections.synchronizedList(new ArrayList<>());
      net.model()
          .onChange(change -> {
            heard.add(change);
            if (change == DeviceChange.MTU) {
              listening.countDown();
              await(goOn);
            }
          });
      FutureTask<?> first = StillBackEnd.elsewhere(() -> net.access(() -> net.model().mtu(MTU)));
      await(listening);

      net.access(() -> net.model().linkUp(false));
      assertThat(heard).as("told by the other thread").containsExactly(DeviceChange.MTU);
      goOn.countDown();
      first.get(20, TimeUnit.SECONDS);

      assertThat(heard)
          .containsExactly(
              DeviceChange.MTU,
              DeviceChange.CONFIG_INTERRUPT,
              DeviceChange.LINK,
              DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /** They would make the stop window longer. */
  @Test
  void duringAPlanSideBySideTheyWaitUntilItHasEnded() throws Exception {
    BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    Observer observer =
        new Observer() {
          @Override
          public void planFinished(String device, Plan plan, Outcome outcome) {
            heard.add("finished");
          }

          @Override
          public void lost(String device, VhostException why) {
            heard.add("lost");
          }
        };
    try (Rig rig = new Rig(dir, 0, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC)) {
      rig.addBackEnd(Faults.none());
      VhostNet net = rig.connect(0, rig.options(0, Duration.ofSeconds(10)).withObserver(observer));
      rig.nets.add(net);
      rig.driveAll();
      net.start();
      heard.clear();
      onInterrupt(net, () -> heard.add("interrupt"));
      rig.backEnd().arm(Faults.none().atMessage(1, new Faults.Wrong.HangUpBefore()));

      try (var stop = new DeviceStop(rig.nets, StartOrder.PLANNED)) {
        stop.stop();
        assertThat(net.model().linkUp()).isFalse();
        assertThat(net.model().interruptStatus()).isEqualTo(CONFIG_CHANGED);
        assertThat(heard).as("in the stop window").isEmpty();
        assertThat(stop.outcomes()).hasSize(1);
      }

      assertThat(heard).containsExactly("finished", "lost", "interrupt");
    }
  }
}
