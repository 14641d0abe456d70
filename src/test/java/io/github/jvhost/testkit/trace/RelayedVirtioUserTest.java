package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.Dialect;
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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A relay between a front end that is not ours and back ends; skipped where there is none. */
class RelayedVirtioUserTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final CaptureQueue queue = new CaptureQueue(Dialect.UPSTREAM);
  private final RelayCounts counts = new RelayCounts(queue);
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
    assertThat(ledger.describeOpen()).isEmpty();
    if (directory != null) {
      // Fails where a socket is still in it.
      Files.delete(directory);
    }
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private static VirtioUser frontEnd(Path socket) {
    return VirtioUser.builder().port(socket).queuePairs(2).start(deadline());
  }

  private List<CapturedMessage> captured() throws InterruptedException {
    List<CapturedMessage> messages = new ArrayList<>();
    Deadline deadline = deadline();
    while (!deadline.expired()) {
      for (CaptureEntry entry : queue.take(Duration.ofMillis(100))) {
        switch (entry) {
          case CapturedMessage message -> messages.add(message);
          case CaptureEvent event when !event.connected() -> {
            return messages;
          }
          case CaptureEvent _ -> {
            // It began.
          }
        }
      }
    }
    throw new AssertionError("the session did not end; there were " + messages.size());
  }

  private static List<String> said(List<CapturedMessage> messages) {
    return Conversation.ringByRing(
        messages.stream()
            .filter(message -> message.route() == RelayRoute.TO_BACK_END)
            .map(message ->
                Conversation.common(
                    CaptureLine.of(message, Dialect.UPSTREAM)
                        .replaceFirst("^ *[0-9.]+ us ", "")
                        .replaceFirst("(u64=0x[0-9a-f]+) .*", "$1"),
                    false))
            .toList());
  }

  @Test
  void packetsComeBackFromTheMockAndBothSidesSawTheSame() throws Exception {
    BackEndRecord record;
    List<CapturedMessage> messages;
    try (var mirror = new ReflectingPort("mirror", 4096);
        var backEnd =
            MockBackEnd.builder(directory.resolve("b"), ledger)
                .offer(BackEndOffer.of(Personality.DPDK))
                .port(mirror)
                .start();
        var _ = Relay.start(directory.resolve("f"), backEnd.socket(), ledger, counts)) {
      record = backEnd.record();
      try (VirtioUser frontEnd = frontEnd(directory.resolve("f"))) {
        frontEnd.forward(deadline());
        assertThat(record.await(r -> r.delivered() >= 1_000, deadline())).isTrue();
        frontEnd.stopForwarding(deadline());
        frontEnd.quit(deadline());
      }
      messages = captured();
      assertThat(record.await(r -> r.disconnections() == 1, deadline())).isTrue();
    }

    assertThat(said(messages)).containsExactlyElementsOf(Conversation.virtioUser());
    // Byte for byte and descriptor for descriptor what the back end got.
    assertThat(
            messages.stream()
                .filter(m -> m.route() == RelayRoute.TO_BACK_END)
                .map(m ->
                    "%s %x %d %s".formatted(m.name(), m.flags(), m.descriptors(), m.payload())))
        .containsExactlyElementsOf(
            record.messages().stream()
                .map(
                    m -> "%s %x %d %s".formatted(m.name(), m.flags(), m.descriptors(), m.payload()))
                .toList());
    assertThat(counts.messages(RelayRoute.TO_BACK_END)).isEqualTo(record.mark());
    assertThat(counts.messages(RelayRoute.TO_FRONT_END)).isEqualTo(record.replies());
    assertThat(record.violations()).isEmpty();
  }

  @Test
  void itCarriesTrafficToARealSwitch() throws Exception {
    List<CapturedMessage> messages;
    try (Testpmd testpmd =
            Testpmd.builder().port(directory.resolve("b")).queuePairs(2).start(deadline());
        var _ = Relay.start(directory.resolve("f"), directory.resolve("b"), ledger, counts)) {
      try (VirtioUser frontEnd = frontEnd(directory.resolve("f"))) {
        frontEnd.forward(deadline());
        // Its first burst: the switch answers pings only, so nothing comes back.
        Deadline deadline = deadline();
        PortStatistics port = testpmd.statistics(deadline).getFirst();
        while (port.rxPackets() < 64 && !deadline.expired()) {
          port = testpmd.statistics(deadline).getFirst();
        }
        assertThat(port.rxPackets()).as(testpmd.output()).isGreaterThanOrEqualTo(64);
        frontEnd.stopForwarding(deadline());
        frontEnd.quit(deadline());
      }
      messages = captured();
    }

    assertThat(said(messages)).containsExactlyElementsOf(Conversation.virtioUser());
    assertThat(counts.raw()).isZero();
    assertThat(counts.descriptors()).isEqualTo(9); // a memory file, and per ring kick and call
    assertThat(messages.stream().filter(m -> m.route() == RelayRoute.TO_FRONT_END)).hasSize(11);
  }
}
