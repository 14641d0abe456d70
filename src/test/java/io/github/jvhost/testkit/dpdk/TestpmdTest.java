package io.github.jvhost.testkit.dpdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Starts the real thing; skipped where it is not installed. */
class TestpmdTest {
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

  private static Path runtimeDirectory(Testpmd testpmd) {
    return testpmd
        .output()
        .lines()
        .filter(l -> l.contains("Multi-process socket"))
        .map(l -> Path.of(l.substring(l.indexOf('/'))).getParent())
        .findFirst()
        .orElseThrow();
  }

  @Test
  void startsForwardsCountsAndLeavesNothingBehind() {
    long pid;
    Path runtime;
    try (var testpmd =
        Testpmd.builder()
            .port(directory.resolve("0"))
            .port(directory.resolve("1"))
            .queuePairs(2)
            .noMlockall()
            .start(deadline())) {
      pid = testpmd.processId();
      runtime = runtimeDirectory(testpmd);
      assertThat(runtime).isDirectory();
      assertThat(testpmd.ports()).isEqualTo(2);
      assertThat(testpmd.socket(0)).exists();
      assertThat(testpmd.socket(1)).exists();
      // Two ports of two queues each: four streams.
      assertThat(testpmd.output()).contains("streams=4");
      assertThat(testpmd.statistics(deadline()))
          .containsExactly(
              new PortStatistics(0, 0, 0, 0, 0, 0, 0, 0),
              new PortStatistics(1, 0, 0, 0, 0, 0, 0, 0));
    }

    assertThat(ProcessHandle.of(pid).filter(ProcessHandle::isAlive)).isEmpty();
    assertThat(runtime).doesNotExist();
  }

  @Test
  void speaksVhostUserOnEveryPort() {
    var ledger = DescriptorLedger.counting();
    try (var testpmd =
        Testpmd.builder()
            .port(directory.resolve("0"))
            .port(directory.resolve("1"))
            .start(deadline())) {
      for (int port = 0; port < testpmd.ports(); port++) {
        try (var channel =
            VhostUserChannel.connect(
                testpmd.socket(port), "port " + port, Dialect.UPSTREAM, ledger, deadline())) {
          assertThat(ask(channel, FrontEndRequest.GET_FEATURES) & VhostFeature.PROTOCOL_FEATURES)
              .isNotZero();
          assertThat(
                  ProtocolFeature.STATUS.isIn(ask(channel, FrontEndRequest.GET_PROTOCOL_FEATURES)))
              .isTrue();
        }
      }
    }

    assertThat(ledger.openCount()).isZero();
  }

  private static long ask(VhostUserChannel channel, FrontEndRequest request) {
    channel.send(request, NoPayload.INSTANCE, List.of(), false, deadline());
    return switch (channel.awaitReply(deadline()).payload()) {
      case U64(long value) -> value;
      case Payload other -> throw new AssertionError(other);
    };
  }

  @Test
  void cleansUpAfterACrashAndTwice() {
    var testpmd = Testpmd.builder().port(directory.resolve("0")).start(deadline());
    Path runtime = runtimeDirectory(testpmd);

    testpmd.crash();

    assertThatThrownBy(() -> testpmd.statistics(deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("telling dpdk-testpmd \"show port stats all\"");
    testpmd.close();
    testpmd.close();
    assertThat(testpmd.isAlive()).isFalse();
    assertThat(runtime).doesNotExist();
  }

  @Test
  void refusesASocketThatExists() throws IOException {
    Path socket = Files.createFile(directory.resolve("0"));
    var builder = Testpmd.builder().port(socket);

    assertThatThrownBy(() -> builder.start(deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("exists already");

    Files.delete(socket);
  }

  @Test
  void saysInOneLineWhyItDidNotStart() {
    var builder = Testpmd.builder().port(directory.resolve("missing").resolve("0"));

    assertThatThrownBy(() -> builder.start(deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("starting dpdk-testpmd: ")
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesWhatDpdkCouldNotParse() {
    var builder = Testpmd.builder();

    assertThatThrownBy(() -> builder.port(Path.of("/run/a,queues=9")))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.queuePairs(129)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.buffers(10)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.start(deadline())).isInstanceOf(IllegalStateException.class);
  }
}
