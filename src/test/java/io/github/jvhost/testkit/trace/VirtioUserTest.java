package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.FreshJvm;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.dpdk.VirtioUser;
import io.github.jvhost.testkit.net.ReflectingPort;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A front end that is not ours at our mock back end; skipped where it is not installed. */
class VirtioUserTest {
  private Path directory;

  @BeforeEach
  void needsTestpmd() throws IOException {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    // Not JUnit's: a socket's path has room for 107 bytes only.
    directory = Files.createTempDirectory("jvhost");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    if (directory != null) {
      // Fails where a socket is still in it.
      Files.delete(directory);
    }
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private static BackEndOffer offer(boolean packed) {
    BackEndOffer split = BackEndOffer.of(Personality.DPDK);
    return packed ? split.withFeatures(split.features() | NetFeature.RING_PACKED.mask()) : split;
  }

  private static VirtioUser frontEnd(Path socket, boolean packed) {
    VirtioUser.Builder frontEnd = VirtioUser.builder().port(socket).queuePairs(2);
    return (packed ? frontEnd.packed() : frontEnd).start(deadline());
  }

  /** Until packets that it has sent came back. */
  private static void awaitReceived(VirtioUser frontEnd) {
    Deadline deadline = deadline();
    PortStatistics port = frontEnd.statistics(deadline).getFirst();
    while (port.rxPackets() < 1_000 && !deadline.expired()) {
      port = frontEnd.statistics(deadline).getFirst();
    }
    assertThat(port.rxPackets()).as(port.toString()).isGreaterThanOrEqualTo(1_000);
    assertThat(port.rxErrors()).isZero();
    assertThat(port.txPackets()).isGreaterThanOrEqualTo(port.rxPackets());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void itsPacketsComeBackAndItSaysWhatItSaysToDpdk(boolean packed) throws Exception {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    BackEndRecord record;
    try (var mirror = new ReflectingPort("mirror", 4096);
        var backEnd =
            MockBackEnd.builder(directory.resolve("s"), ledger)
                .offer(offer(packed))
                .port(mirror)
                .start()) {
      record = backEnd.record();
      try (VirtioUser frontEnd = frontEnd(backEnd.socket(), packed)) {
        frontEnd.forward(deadline());
        awaitReceived(frontEnd);
        frontEnd.stopForwarding(deadline());
        frontEnd.quit(deadline());
      }
      assertThat(record.await(r -> r.disconnections() == 1, deadline())).isTrue();
    }

    assertThat(
            Conversation.ringByRing(
                record.messages().stream()
                    .map(m -> Conversation.common(MessageLine.of(m), packed))
                    .toList()))
        .containsExactlyElementsOf(Conversation.virtioUser());
    assertThat(record.violations()).isEmpty();
    assertThat(record.notes()).isEmpty();
    assertThat(record.drops()).isZero();
    assertThat(record.transmitted()).isGreaterThanOrEqualTo(1_000);
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void theCommandServesItToo() {
    Path socket = directory.resolve("s");
    List<String> command =
        FreshJvm.command(
            Jvhost.class,
            List.of("mock-back-end", "--personality=dpdk", "--trace", socket.toString()));
    try (ChildProcess backEnd = ChildProcess.leashed("mock-back-end", command, Map.of())) {
      backEnd.transcript().awaitText("listening at", 0, deadline(), "starting the command");
      try (VirtioUser frontEnd = frontEnd(socket, false)) {
        frontEnd.forward(deadline());
        awaitReceived(frontEnd);
        frontEnd.quit(deadline());
      }
      backEnd.transcript().awaitText("### ", 0, deadline(), "the end of the connection");
      ProcessHandle.of(backEnd.pid()).orElseThrow().destroy(); // SIGTERM
      backEnd.transcript().awaitText("broken rules none", 0, deadline(), "the summary");
      assertThat(backEnd.awaitExit(deadline())).isTrue();

      assertThat(
              Conversation.ringByRing(
                  backEnd
                      .transcript()
                      .text()
                      .lines()
                      .filter(line -> line.contains(" us -> "))
                      .map(line -> line.replaceFirst("^.* us ", ""))
                      .map(line -> Conversation.common(line, false))
                      .toList()))
          .containsExactlyElementsOf(Conversation.virtioUser());
    }
    assertThat(socket).doesNotExist();
  }
}
