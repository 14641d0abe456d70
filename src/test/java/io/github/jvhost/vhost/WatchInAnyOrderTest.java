package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Back ends go and devices are watched and unwatched, in any order. Nothing is told of a device
 * that is not watched, no loss is told twice, and each device runs again at the end.
 */
@Timeout(120)
class WatchInAnyOrderTest {
  private static final int DEVICES = 3;
  private static final int STEPS = 400;
  private static final ReconnectPolicy SOON = new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0);

  @TempDir private Path dir;

  /** What was told of each device, and when its watch began and ended, in order. */
  private final List<List<String>> told = new ArrayList<>();

  private final List<Boolean> watched = new ArrayList<>();

  private final class Listener implements BackEndWatch.Listener {
    private void add(VhostNet net, String what) {
      told.get(Integer.parseInt(net.name().substring("net".length()))).add(what);
    }

    @Override
    public void lost(VhostNet net, VhostException why) {
      add(net, "lost");
    }

    @Override
    public void recovered(VhostNet net, int attempts, boolean running) {
      add(net, "recovered");
    }

    @Override
    public void givenUp(VhostNet net, VhostException why) {
      add(net, "given up: " + why);
    }
  }

  private void watch(BackEndWatch watch, Rig rig, int device, boolean now) {
    if (now) {
      told.get(device).add("watched");
      watch.watch(rig.nets.get(device), SOON);
    } else {
      watch.unwatch(rig.nets.get(device));
      told.get(device).add("unwatched");
    }
    watched.set(device, now);
  }

  private static List<String> mayFollow(String what) {
    return switch (what) {
      case "watched", "recovered" -> List.of("lost", "unwatched");
      case "lost" -> List.of("recovered", "unwatched");
      case "unwatched" -> List.of("watched");
      default -> List.of();
    };
  }

  @Test
  void eachDeviceIsFollowedByItself() {
    long seed = new SplittableRandom().nextLong();
    var random = new SplittableRandom(seed);
    try (Rig rig =
            new Rig(dir, DEVICES, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, new Listener())) {
      rig.driveAll();
      for (int device = 0; device < DEVICES; device++) {
        told.add(new CopyOnWriteArrayList<>());
        watched.add(false);
        rig.nets.get(device).start();
        watch(watch, rig, device, true);
      }
      for (int i = 0; i < STEPS; i++) {
        int device = random.nextInt(DEVICES);
        switch (random.nextInt(3)) {
          case 0 -> rig.backEnds.get(device).hangUp();
          case 1 -> watch(watch, rig, device, !watched.get(device));
          default -> LockSupport.parkNanos(random.nextLong(5_000_000));
        }
      }
      Deadline end = Rig.soon();
      for (int device = 0; device < DEVICES; device++) {
        if (!watched.get(device)) {
          watch(watch, rig, device, true);
        }
        assertThat(rig.comesToRun(device, end)).as("net%d runs, seed %d", device, seed).isTrue();
      }
    }
    for (List<String> one : told) {
      for (int i = 1; i < one.size(); i++) {
        assertThat(mayFollow(one.get(i - 1)))
            .as("%d of %s, seed %d", i, one, seed)
            .contains(one.get(i));
      }
    }
  }
}
