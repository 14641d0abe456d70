package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Everybody at once: guest accesses, the VMM's link, dirty logging, presetup of another device on
 * the same threads, and a back end that hangs up in between. One lock a device holds them apart: in
 * the end the back end holds what it should, and no rule was broken on the way.
 */
class VhostNetConcurrencyTest {
  private static final int ROUNDS = 150;

  @TempDir private Path dir;

  @Test
  void threadsThatShareADevice() throws Exception {
    ConcurrentLinkedQueue<Throwable> unexpected = new ConcurrentLinkedQueue<>();
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC);
        BackEndWatch watch = BackEndWatch.start(rig.ledger, BackEndWatch.Listener.NONE)) {
      VhostNet net = rig.net();
      watch.watch(net, new ReconnectPolicy.Fixed(Duration.ofMillis(1), 0));
      rig.driveAll();
      net.start();
      DirtyBitmap pages = new DirtyBitmap(rig.memory.table().highestAddress());
      try (DirtyLog log = DirtyLog.create(rig.ledger, rig.memory.table())) {
        List<Runnable> work =
            List.of(
                () -> net.access(() -> net.model().mtu(1400 + (net.model().mtu() + 1) % 100)),
                () -> {
                  net.linkUp(false);
                  net.linkUp(true);
                },
                () -> {
                  net.migration().logTo(log);
                  log.collectInto(pages);
                  net.migration().logTo(null);
                },
                () -> {
                  net.announce();
                  net.kick(1);
                  net.shadow().ring(0);
                  net.snapshot();
                },
                () -> rig.backEnd().hangUp());
        List<Thread> threads = new ArrayList<>();
        CyclicBarrier start = new CyclicBarrier(work.size());
        for (Runnable w : work) {
          threads.add(
              Thread.ofPlatform()
                  .start(() -> {
                    try {
                      start.await();
                      for (int i = 0; i < ROUNDS; i++) {
                        attempt(w);
                      }
                    } catch (Exception | Error e) {
                      unexpected.add(e);
                    }
                  }));
        }
        for (Thread thread : threads) {
          assertThat(thread.join(Duration.ofSeconds(60))).as("no thread hangs").isTrue();
        }
        assertThat(unexpected).isEmpty();
        watch.unwatch(net);
        net.migration().runOn();
        net.ask(RoundTrip::features);
      }
      assertThat(net.running()).isTrue();
      assertThat(net.refresh().describe()).as("nothing is left to tell").isEmpty();
      assertThat(rig.backEnd().ring(0).orElseThrow().started()).isTrue();
      rig.noRuleWasBroken();
    }
  }

  /** A back end that hangs up in the middle is a failure that callers are told of. */
  private static void attempt(Runnable work) {
    try {
      work.run();
    } catch (VhostException e) {
      assertThat(e.getMessage()).startsWith("net0: ");
    }
  }
}
