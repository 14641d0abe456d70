package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.InPlaceTarget;
import io.github.jvhost.migration.MigrationDestination;
import io.github.jvhost.migration.MigrationSource;
import io.github.jvhost.migration.PreCopySource;
import io.github.jvhost.migration.VmControl;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.Links;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device of the source is changed by another thread in the moment in which its VM is paused: what
 * came before the stop is in the final record.
 */
@Timeout(120)
class ChangeAtTheStopTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir private Path dir;

  /** Waits until a thread waits for somebody else's lock, or is over. */
  private static void awaitStandingStill(Thread thread) {
    long until = System.nanoTime() + PATIENCE.toNanos();
    while (System.nanoTime() < until) {
      switch (thread.getState()) {
        case BLOCKED, WAITING, TIMED_WAITING, TERMINATED -> {
          return;
        }
        default -> Thread.onSpinWait();
      }
    }
    throw new AssertionError(thread + " goes on and on");
  }

  /** What another thread does while the source's stands behind a lock that it holds. */
  private interface Meddler {
    void meddle(Thread source, CountDownLatch holdsALock) throws Exception;
  }

  private Rig rig() {
    Rig rig = new Rig(dir, 4, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
    for (int i = 0; i < 2; i++) {
      Rig.drive(rig.nets.get(i), i);
      rig.nets.get(i).start();
    }
    return rig;
  }

  /** Moves devices 0 and 1 to the back ends of 2 and 3; whether device 0 arrived with its link. */
  private boolean arrivesWithItsLink(Rig rig, Meddler meddler) throws Exception {
    FutureTask<Void> meddling;
    try (Links links = Links.connect(dir.resolve("m"));
        VhostNet first = arriving(rig, 0);
        VhostNet second = arriving(rig, 1)) {
      MigrationDestination destination =
          MigrationDestination.builder()
              .devices(List.of(first, second))
              .ram(new InPlaceTarget(rig.memory))
              .vm(new Vm(() -> {}))
              .link(links.destination())
              .presetup(PresetupMode.IMPLICIT)
              .build();
      CompletableFuture<Void> arrived =
          CompletableFuture.runAsync(
              destination::run, task -> Thread.ofPlatform().daemon().start(task));
      Thread source = Thread.currentThread();
      var holdsALock = new CountDownLatch(1);
      meddling =
          new FutureTask<>(() -> {
            meddler.meddle(source, holdsALock);
            return null;
          });
      Vm vm =
          new Vm(() -> {
            Thread.ofPlatform().daemon().start(meddling);
            if (!await(holdsALock)) {
              throw new AssertionError("no lock was taken");
            }
          });
      MigrationSource.builder(rig.ledger)
          .devices(rig.nets.subList(0, 2))
          .ram(new PreCopySource(rig.memory, 0, Runnable::run))
          .vm(vm)
          .link(links.source())
          .build()
          .run();
      arrived.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      meddling.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      return first.model().linkUp();
    }
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private VhostNet arriving(Rig rig, int device) {
    rig.nets.get(2 + device).close();
    VhostDeviceOptions there =
        VhostDeviceOptions.of("net" + device, dir.resolve("net" + (2 + device)), rig.ledger);
    return rig.connect(2 + device, Rig.model(device).build(), there);
  }

  private record Vm(Runnable atPause) implements VmControl {
    @Override
    public void pause() {
      atPause.run();
    }

    @Override
    public void resume() {
      // Nobody runs.
    }
  }

  /** The source stands before device 1, so it has looked at device 0, or holds it, by then. */
  @Test
  void ofTheDeviceThatWasLookedAtFirst() throws Exception {
    try (Rig rig = rig()) {
      boolean[] pulledBeforeTheStop = new boolean[1];
      Thread[] pulling = new Thread[1];
      boolean link =
          arrivesWithItsLink(
              rig,
              (source, holdsALock) ->
                  rig.nets
                      .get(1)
                      .read(model -> {
                        holdsALock.countDown();
                        awaitStandingStill(source);
                        Thread puller =
                            Thread.ofPlatform().daemon().start(() -> rig.net().linkUp(false));
                        pulling[0] = puller;
                        awaitStandingStill(puller);
                        pulledBeforeTheStop[0] = !puller.isAlive();
                        return model.name();
                      }));

      assertThat(link).as("link at the destination").isEqualTo(!pulledBeforeTheStop[0]);
      assertThat(pulling[0].join(PATIENCE)).as("it had its turn").isTrue();
    }
  }

  @Test
  void ofTheDeviceThatTheSourceWaitsFor() throws Exception {
    try (Rig rig = rig()) {
      boolean link =
          arrivesWithItsLink(
              rig,
              (source, holdsALock) ->
                  rig.net()
                      .access(() -> {
                        holdsALock.countDown();
                        awaitStandingStill(source);
                        rig.net().model().linkUp(false);
                      }));

      assertThat(link).as("link at the destination").isFalse();
    }
  }
}
