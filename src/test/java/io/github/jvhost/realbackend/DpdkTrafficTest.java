package io.github.jvhost.realbackend;

import static io.github.jvhost.realbackend.NetMachine.deadline;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.RingIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest at DPDK's testpmd, which answers its pings; skipped where that is not installed. */
@Timeout(90)
@ResourceLock("real back ends")
class DpdkTrafficTest {
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

  private Path socket() {
    return directory.resolve("net");
  }

  private Testpmd testpmd(int queuePairs) {
    return Testpmd.builder()
        .port(socket())
        .queuePairs(queuePairs)
        .buffers(8192)
        .noMlockall()
        .start(deadline());
  }

  private NetMachine machine(int queuePairs, boolean packed) {
    return new NetMachine(
        new NetMachine.Setup(1, 2, queuePairs, packed), options(BackEndProfile.DPDK));
  }

  private VhostDeviceOptions options(BackEndProfile profile) {
    return VhostDeviceOptions.of("net", socket(), Dialect.UPSTREAM, profile, ledger);
  }

  /**
   * Waits until testpmd says that it has counted something. It counts a packet after it has handed
   * it over, so the guest may have an answer that is not counted yet.
   */
  private static void awaitCounted(Testpmd testpmd, Predicate<PortStatistics> counted) {
    var last = new AtomicReference<PortStatistics>();
    Await.until(
        () -> "testpmd has counted it: " + last,
        () -> {
          last.set(testpmd.statistics(deadline()).getFirst());
          return counted.test(last.get());
        });
  }

  @ParameterizedTest
  @CsvSource({"1, false", "4, false", "8, false", "1, true", "4, true", "8, true"})
  void packetsGoBothWaysAndRingsGoOnWhereTheyStopped(int queuePairs, boolean packed) {
    try (var testpmd = testpmd(queuePairs);
        var machine = machine(queuePairs, packed)) {
      machine.start();
      // One ping after the other on each pair in turn.
      machine.awaitAnswers(30 * queuePairs);
      assertThat(machine.queuePairs()).isEqualTo(queuePairs);
      assertThat(machine.net.model().packed()).isEqualTo(packed);
      awaitCounted(testpmd, port -> port.rxPackets() >= 30L * queuePairs);
      awaitCounted(testpmd, port -> port.txPackets() >= 30L * queuePairs);

      for (int round = 0; round < 3; round++) {
        assertThat(machine.net.stop().orThrow().complete()).isTrue();
        for (int ring = 0; ring < 2 * queuePairs; ring++) {
          assertSays(machine.net.model().queue(ring).next(), packed);
        }
        machine.net.start();
        machine.awaitAnswers(10 * queuePairs);
      }

      machine.drain();
      // testpmd has packets in hand, between taking and answering, for which the ring may be gone.
      long lost = machine.stats().lost();
      awaitCounted(testpmd, port -> port.dropped() >= lost);
      assertThat(machine.stats().duplicates()).as("%s", machine).isZero();
      machine.assertSound();
    }
  }

  /**
   * DPDK frees at GET_VRING_BASE what SET_VRING_NUM had it allocate. With STATUS a stop ends with a
   * reset, after which everything is told again; without it a ring that is not sent its size again
   * takes the switch down with its first packet.
   */
  @ParameterizedTest
  @CsvSource({"DPDK, false", "GENERIC, false", "DPDK, true"})
  void ringsStartAgainWithoutAStatus(BackEndProfile profile, boolean packed) {
    try (var testpmd = testpmd(2);
        var machine =
            new NetMachine(
                new NetMachine.Setup(1, 2, 2, packed),
                options(profile).without(ProtocolFeature.STATUS))) {
      machine.start();
      machine.awaitAnswers(30);
      assertThat(machine.net.capabilities().hasStatus()).isFalse();
      for (int round = 0; round < 3; round++) {
        assertThat(machine.net.stop().orThrow().complete()).isTrue();
        machine.net.start();
        machine.awaitAnswers(20);
        machine.net.linkUp(false);
        machine.net.linkUp(true);
        machine.awaitAnswers(20);
      }
      machine.resetAndReinit();
      machine.awaitAnswers(20);
      awaitCounted(testpmd, port -> port.rxPackets() > 0);
      machine.drain();
      machine.assertSound();
    }
  }

  /** DPDK leaves the used half of a packed base empty; here it is the other one's equal. */
  private static void assertSays(RingIndex index, boolean packed) {
    assertThat(index.isPacked()).isEqualTo(packed);
    if (packed) {
      assertThat(index.used()).isEqualTo(index.avail());
      assertThat(index.usedWrap()).isEqualTo(index.availWrap());
    }
  }

  @Test
  void pingsRecoverAfterItsBackEndWasKilledAndStartedAnew() {
    try (var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE)) {
      Testpmd killed = testpmd(2);
      try (killed;
          var machine = machine(2, false)) {
        watch.watch(machine.net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
        machine.start();
        machine.awaitAnswers(50);

        killed.crash();
        killed.close();
        try (var again = testpmd(2)) {
          machine.awaitAnswers(50);

          // DPDK serves the rings before it answers the last message of the start.
          Await.until(() -> "the device runs", machine.net::running);
          awaitCounted(again, port -> port.rxPackets() > 0);
          machine.drain();
          machine.assertSound();
          watch.unwatch(machine.net);
        }
      }
    }
  }

  /**
   * A packed ring does not say where its back end was, and DPDK keeps no region in flight: going on
   * anywhere would be a guess, and the driver has to begin anew.
   *
   * @param answers before the end: in the first lap of the rings (256 entries), and in the second,
   *     when the descriptors at their beginning look as if nobody had ever used them
   */
  @ParameterizedTest
  @ValueSource(ints = {50, 300, 450})
  void packedRingsAreNotGuessedAtAfterAKillAndTheDriverBringsThemBack(int answers) {
    var givenUp = new CompletableFuture<VhostException>();
    var listener =
        new BackEndWatch.Listener() {
          @Override
          public void givenUp(VhostNet net, VhostException why) {
            givenUp.complete(why);
          }
        };
    try (var watch = BackEndWatch.start(ledger, listener)) {
      Testpmd killed = testpmd(1);
      try (killed;
          var machine = machine(1, true)) {
        watch.watch(machine.net, new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0));
        machine.start();
        machine.awaitAnswers(answers);

        killed.crash();
        killed.close();
        try (var _ = testpmd(1)) {
          assertThat(givenUp)
              .succeedsWithin(Duration.ofSeconds(20))
              .satisfies(e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
              .satisfies(e -> assertThat(e).hasMessageContaining("packed"));
          assertThat(machine.net.running()).isFalse();

          machine.resetAndReinit();

          machine.awaitAnswers(50);
          machine.assertSound();
          watch.unwatch(machine.net);
        }
      }
    }
  }
}
