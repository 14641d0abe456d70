package io.github.jvhost.realbackend;

import static io.github.jvhost.realbackend.BlockDevice.deadline;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.PassedDevice;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.qemu.StorageDaemon;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PlannedStep;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A disk at QEMU's storage daemon, led by the planner; skipped where that is not installed. */
@Timeout(60)
@ResourceLock("real back ends")
class BlockDeviceTest {
  private DiskFile disk;

  @BeforeEach
  void needsTheDaemon() {
    Optional<String> reason = StorageDaemon.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    disk = DiskFile.create();
  }

  @AfterEach
  void nothingIsLeft() {
    if (disk != null) {
      disk.close();
    }
  }

  private StorageDaemon daemon() {
    return StorageDaemon.builder(disk.file(), disk.socket()).start(deadline());
  }

  private BlockDevice device() {
    return new BlockDevice(disk.socket(), BackEndProfile.LIBVHOST_USER);
  }

  @Test
  void goesOnWhereItStopped() {
    try (var daemon = daemon();
        var blk = device()) {
      blk.start(0);
      for (int sector = 0; sector < 3; sector++) {
        assertThat(blk.queue.read(sector, deadline())).isEqualTo(disk.sector(sector));
      }

      assertThat(blk.stop()).isEqualTo(3);
      int waiting = blk.queue.submitRead(9);
      blk.queue.kick.signal();
      blk.start(3);

      blk.queue.awaitUsed(4, deadline());
      assertThat(blk.queue.content(waiting)).isEqualTo(disk.sector(9));
      assertThat(blk.queue.read(10, deadline())).isEqualTo(disk.sector(10));
      assertThat(blk.stop()).isEqualTo(5);
      assertThat(daemon.output()).isEmpty();
    }
  }

  @Test
  void goesAroundTheEndOfTheIndex() {
    try (var daemon = daemon();
        var blk = device()) {
      blk.queue.goOnAt(65_530, 65_530);
      blk.start(65_530);
      for (int sector = 0; sector < 10; sector++) {
        assertThat(blk.queue.read(sector, deadline())).isEqualTo(disk.sector(sector));
      }

      assertThat(blk.stop()).isEqualTo(4);
      blk.start(4);
      assertThat(blk.queue.read(11, deadline())).isEqualTo(disk.sector(11));
      assertThat(daemon.output()).isEmpty();
    }
  }

  @Test
  void isSetUpEarlyAndStartedOnceMemoryIsThere() {
    try (var daemon = daemon();
        var blk = device()) {
      blk.execute(blk.planEarly());
      assertThat(blk.queue.usedIndex()).isZero();
      blk.queue.goOnAt(1000, 1000); // the rest of guest memory arrives
      int waiting = blk.queue.submitRead(12);

      var window = blk.planStart(1000);
      assertThat(window.steps().stream().map(PlannedStep::field))
          .containsExactly("ring 0 base", "ring 0 address", "ring 0 kick");
      blk.execute(window);
      blk.queue.kick.signal();

      blk.queue.awaitUsed(1001, deadline());
      assertThat(blk.queue.content(waiting)).isEqualTo(disk.sector(12));
      assertThat(blk.stop()).isEqualTo(1001);
      assertThat(daemon.output()).isEmpty();
    }
  }

  /** The mediator knows nothing of disks. It passes such a device's messages on. */
  @Test
  void isServedThroughAMediatorThatPassesItOn() {
    Path mediated = disk.directory().resolve("mediated");
    var ledger = DescriptorLedger.tracing();
    var options =
        MediatorOptions.of(List.of())
            .withPassed(List.of(new PassedDevice("disk", mediated, disk.socket())));
    try (var daemon = daemon();
        var mediator = Mediator.start(options, ledger);
        var blk = new BlockDevice(mediated, BackEndProfile.LIBVHOST_USER)) {
      blk.start(0);
      assertThat(blk.queue.read(7, deadline())).isEqualTo(disk.sector(7));
      assertThat(blk.stop()).isEqualTo(1);
      blk.reconnect();
      blk.start(1);
      assertThat(blk.queue.read(8, deadline())).isEqualTo(disk.sector(8));

      assertThat(mediator.status().getFirst().state()).isEqualTo("PASS_THROUGH");
      assertThat(daemon.output()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** What was in flight is found by the used ring: it is served again. */
  @Test
  void comesBackAfterItsBackEndWasKilled() {
    StorageDaemon killed =
        StorageDaemon.builder(disk.file(), disk.socket()).requestsPerSecond(1).start(deadline());
    try (var blk = device()) {
      int[] requests = new int[6];
      try (killed) {
        blk.start(0);
        for (int i = 0; i < requests.length; i++) {
          requests[i] = blk.queue.submitRead(i);
        }
        blk.queue.kick.signal();
        blk.queue.awaitUsed(1, deadline());
        killed.crash();
      }
      int served = blk.queue.usedIndex();
      assertThat(served).isLessThan(requests.length);
      assertThatThrownBy(blk::stop)
          .isInstanceOfSatisfying(
              VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.RECONNECT));

      try (var daemon = daemon()) {
        blk.reconnect();
        blk.start(served);

        blk.queue.awaitUsed(requests.length, deadline());
        for (int i = 0; i < requests.length; i++) {
          assertThat(blk.queue.content(requests[i])).isEqualTo(disk.sector(i));
        }
        assertThat(blk.queue.read(20, deadline())).isEqualTo(disk.sector(20));
        assertThat(blk.stop()).isEqualTo(requests.length + 1);
        assertThat(daemon.output()).isEmpty();
      }
    }
  }

  /**
   * The base counts what was taken from the ring, in flight or not. What was in flight may be
   * written to guest memory after the ring has stopped, or be lost: whoever takes such a ring up
   * begins at the used index, not at the base.
   */
  @Test
  void theDaemonDoesNotWaitForRequestsInFlightWhenItStops() {
    StorageDaemon slow =
        StorageDaemon.builder(disk.file(), disk.socket()).requestsPerSecond(1).start(deadline());
    try (var blk = device()) {
      int[] requests = new int[4];
      try (slow) {
        blk.start(0);
        for (int i = 0; i < requests.length; i++) {
          requests[i] = blk.queue.submitRead(i);
        }
        blk.queue.kick.signal();
        blk.queue.awaitUsed(1, deadline());

        assertThat(blk.stop()).isEqualTo(requests.length);

        assertThat(blk.queue.usedIndex()).isLessThan(requests.length);
        blk.queue.awaitUsed(2, deadline());
      }
      try (var daemon = daemon()) {
        blk.reconnect();
        blk.start(2);
        blk.queue.awaitUsed(requests.length, deadline());
        for (int i = 0; i < requests.length; i++) {
          assertThat(blk.queue.content(requests[i])).isEqualTo(disk.sector(i));
        }
        assertThat(daemon.output()).isEmpty();
      }
    }
  }
}
