package io.github.jvhost.realbackend;

import static io.github.jvhost.realbackend.NetMachine.deadline;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.PassedDevice;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.guest.DmaMode;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A guest behind an IOMMU at DPDK's testpmd; skipped where that is not installed. */
@Timeout(90)
@ResourceLock("real back ends")
class DpdkIommuTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;

  @BeforeEach
  void needsTestpmd() throws IOException {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    if (directory != null) {
      assertThat(ledger.describeOpen()).isEmpty();
      Files.delete(directory);
    }
  }

  private Testpmd.Builder testpmd() {
    return Testpmd.builder().port(directory.resolve("net")).buffers(8192).noMlockall().iommu();
  }

  private VhostDeviceOptions options() {
    return VhostDeviceOptions.of(
        "net", directory.resolve("net"), Dialect.UPSTREAM, BackEndProfile.DPDK, ledger);
  }

  // ---- a guest that pings ----

  @ParameterizedTest
  @CsvSource({
    "STATIC, false, false, 1",
    "STATIC, true, false, 4",
    "STATIC, false, true, 2",
    "PER_FRAME, false, false, 1",
    "PER_FRAME, true, false, 2",
    "PER_FRAME, true, true, 1"
  })
  void packetsGoBothWaysThroughMappingsWithGaps(
      DmaMode dma, boolean push, boolean packed, int queuePairs) {
    try (var _ = testpmd().queuePairs(queuePairs).start(deadline());
        var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE);
        var machine =
            new NetMachine(new NetMachine.Setup(1, 2, queuePairs, packed, dma, push), options())) {
      watch.watch(machine.net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      machine.start();
      machine.awaitAnswers(100);

      for (int round = 0; round < 3; round++) {
        assertThat(machine.net.stop().orThrow().complete()).isTrue();
        machine.net.start();
        machine.awaitAnswers(50);
      }
      machine.resetAndReinit();
      machine.awaitAnswers(50);

      machine.drain();
      assertThat(machine.stats().duplicates()).as("%s", machine).isZero();
      machine.assertSound();
      watch.unwatch(machine.net);
    }
  }

  @Test
  void pingsRecoverAfterItsBackEndWasKilledAndStartedAnew() {
    try (var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE)) {
      Testpmd killed = testpmd().start(deadline());
      try (killed;
          var machine =
              new NetMachine(
                  new NetMachine.Setup(1, 2, 1, false, DmaMode.STATIC, false), options())) {
        watch.watch(machine.net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
        machine.start();
        machine.awaitAnswers(50);

        killed.crash();
        killed.close();
        try (var _ = testpmd().start(deadline())) {
          machine.awaitAnswers(50);

          machine.drain();
          machine.assertSound();
          watch.unwatch(machine.net);
        }
      }
    }
  }

  /** The mediator passes the messages of such a guest on, and the switch's misses too. */
  @Test
  void packetsPassThroughAMediator() throws IOException {
    var passed = new PassedDevice("net0", directory.resolve("mediated"), directory.resolve("net"));
    VhostDeviceOptions mediated =
        options().at(new BackEndAddress.Socket(directory.resolve("mediated")));
    try (var _ = testpmd().start(deadline());
        var mediator =
            Mediator.start(MediatorOptions.of(List.of()).withPassed(List.of(passed)), ledger);
        var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE);
        var machine =
            new NetMachine(
                new NetMachine.Setup(1, 2, 1, false, DmaMode.PER_FRAME, false), mediated)) {
      watch.watch(machine.net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
      machine.start();
      machine.awaitAnswers(100);

      assertThat(machine.net.iotlb().misses()).isPositive();
      assertThat(mediator.status().getFirst().state()).isEqualTo("PASS_THROUGH");
      machine.drain();
      machine.assertSound();
      watch.unwatch(machine.net);
    }
    Files.deleteIfExists(directory.resolve("mediated"));
  }

  // ---- a guest that is flooded ----

  @Test
  void nothingIsWrittenToAPageAfterItsInvalidationHasReturned() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      for (int round = 0; round < 10; round++) {
        for (int slot = 0; slot < FloodedGuest.SLOTS; slot++) {
          guest.receive();
          guest.swap(slot);
        }
        guest.awaitFrames(2 * FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }

  @Test
  void nothingIsWrittenByABurstThatAskedForAnotherPageMeanwhile() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      for (int round = 0; round < 500; round++) {
        guest.swapBeforeMiss();
        guest.awaitFrames(FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }

  /** The ring waits at the buffer that is not mapped, and DPDK asks for it once. */
  @Test
  void aBufferThatIsMappedLaterIsToldUnasked() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      for (int round = 0; round < 100; round++) {
        guest.unmapAndMap(round % FloodedGuest.SLOTS, guest::receive);
        guest.awaitFrames(2 * FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }

  /** They are asked for one by one, and a plan withdraws the oldest ones. */
  @Test
  void framesArriveAtMoreAddressesThanABackEndIsTold() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      long goal = guest.received() + 4000;
      Await.until(
          () -> "frames arrive: " + guest.received() + " " + guest.net.iotlb(),
          () -> {
            guest.receiveAtFreshAddresses();
            return guest.received() >= goal;
          });

      assertThat(guest.net.iotlb().misses()).isGreaterThanOrEqualTo(4000 - FloodedGuest.SLOTS);
      assertThat(guest.net.iotlb().told()).isLessThanOrEqualTo(1024 + 6);
      guest.assertNothingWrittenElsewhere();
    }
  }

  @Test
  void framesArriveAfterEachFlushOfTheWholeDomain() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      for (int round = 0; round < 50; round++) {
        guest.net.iotlbInvalidate(0, -1);
        guest.awaitFrames(FloodedGuest.SLOTS);
        guest.swapAll();
        guest.awaitFrames(2 * FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }

  /** A VMM that empties its table at a flush and fills it again, as QEMU tells its devices. */
  @Test
  void framesArriveAfterRingsAndBuffersWereUnmappedAndMappedAgain() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.start();
      guest.awaitFrames(1000);

      for (int round = 0; round < 50; round++) {
        guest.unmapAndMapAll();
        guest.awaitFrames(2 * FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }

  /** DPDK drops an entry as a whole. The rings of this guest lie in the one that it uses. */
  @Test
  void ringsGoOnWhenPagesAreCutOutOfTheirMapping() {
    try (var _ = testpmd().transmits().start(deadline());
        var guest = new FloodedGuest(options())) {
      guest.startInOnePiece();
      guest.awaitFrames(1000);

      for (int slot = 0; slot < FloodedGuest.SLOTS; slot++) {
        guest.swap(slot);
        guest.awaitFrames(2 * FloodedGuest.SLOTS);
      }

      guest.assertNothingWrittenElsewhere();
    }
  }
}
