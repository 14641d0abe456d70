package io.github.jvhost.testkit.probe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.StorageDaemon;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked, what is understood of it, and that nothing else is said. */
class BackEndProbeTest {
  private static final Duration WITHIN = Duration.ofSeconds(20);

  private Path directory;

  @BeforeEach
  void makeRoom() throws IOException {
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    Files.deleteIfExists(directory.resolve("disk"));
    Files.deleteIfExists(directory.resolve("s"));
    Files.delete(directory);
  }

  private ProbeResult probe(Dialect dialect) {
    return BackEndProbe.probe(directory.resolve("s"), dialect, 20, WITHIN);
  }

  private static boolean possible(ProbeResult result, String way) {
    return result.presetup().stream()
        .filter(verdict -> verdict.way().startsWith(way))
        .findFirst()
        .orElseThrow()
        .possible();
  }

  @Test
  void itOnlyAsks() throws Exception {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (var backEnd =
        MockBackEnd.builder(directory.resolve("s"), ledger)
            .offer(BackEndOffer.of(Personality.GENERIC).withQueuePairs(4))
            .start()) {
      ProbeResult result = probe(Dialect.UPSTREAM);

      assertThat(result.features()).isEqualTo(backEnd.offer().features());
      assertThat(result.queues()).hasValue(4);
      assertThat(result.status()).hasValue(0);
      assertThat(result.replies().count()).isEqualTo(20);
      assertThat(possible(result, "explicit")).isFalse();
      assertThat(possible(result, "implicit, profile generic")).isTrue();
      assertThat(backEnd.record().await(r -> r.disconnections() == 1, Deadline.after(WITHIN)))
          .isTrue();
      assertThat(backEnd.record().violations()).isEmpty();
      assertThat(
              backEnd.record().messages().stream()
                  .map(RecordedMessage::request)
                  .collect(Collectors.toSet()))
          .isSubsetOf(
              EnumSet.of(
                  FrontEndRequest.GET_FEATURES,
                  FrontEndRequest.GET_PROTOCOL_FEATURES,
                  FrontEndRequest.SET_PROTOCOL_FEATURES,
                  FrontEndRequest.GET_QUEUE_NUM,
                  FrontEndRequest.GET_MAX_MEM_SLOTS,
                  FrontEndRequest.GET_STATUS));
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void presetupIsFoundInItsDialectAndOnlyHintedAtInAnother() {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (var _ =
        MockBackEnd.builder(directory.resolve("s"), ledger)
            .offer(BackEndOffer.of(Personality.VFE).withDialect(Dialect.RFC_2023))
            .start()) {
      assertThat(possible(probe(Dialect.RFC_2023), "explicit, dialect rfc-2023")).isTrue();
      ProbeResult upstream = probe(Dialect.UPSTREAM);
      assertThat(upstream.presetup().getFirst().words())
          .contains("bit 18 is offered", "SHARED_OBJECT", "--dialect=rfc-2023");
      assertThat(possible(upstream, "explicit, dialect rfc-2023")).isFalse();
      assertThat(possible(upstream, "explicit, dialect nvidia")).isFalse();
    }
  }

  @Test
  void whereNobodyListensItSaysSo() {
    assertThatThrownBy(() -> probe(Dialect.UPSTREAM))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("no such socket");
  }

  @Test
  void aRealSwitchAnswers() {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    try (Testpmd _ =
        Testpmd.builder()
            .port(directory.resolve("s"))
            .queuePairs(2)
            .noMlockall()
            .start(Deadline.after(Duration.ofSeconds(60)))) {
      ProbeResult result = probe(Dialect.UPSTREAM);

      assertThat(NetFeature.RING_PACKED.in(result.features())).isTrue();
      assertThat(ProtocolFeature.STATUS.isIn(result.protocolFeatures().orElse(0))).isTrue();
      assertThat(result.queues()).hasValue(128);
      assertThat(result.memorySlots()).isEmpty();
      assertThat(result.status()).hasValue(0);
      assertThat(possible(result, "implicit, profile dpdk")).isTrue();
    }
  }

  @Test
  void aBackEndOfQemusAnswers() throws Exception {
    Optional<String> reason = StorageDaemon.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
    try (StorageDaemon _ =
        StorageDaemon.builder(disk, directory.resolve("s"))
            .start(Deadline.after(Duration.ofSeconds(60)))) {
      ProbeResult result = probe(Dialect.UPSTREAM);

      assertThat(result.status()).isEmpty();
      assertThat(result.memorySlots()).hasValue(32);
      assertThat(possible(result, "implicit, profile dpdk")).isFalse();
      assertThat(possible(result, "implicit, profile generic")).isTrue();
    }
  }
}
