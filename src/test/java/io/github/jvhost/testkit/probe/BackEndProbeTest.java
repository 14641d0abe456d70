package io.github.jvhost.testkit.probe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
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
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  private static final PresetupVerdict.Way RFC = new PresetupVerdict.Explicit(Dialect.RFC_2023);
  private static final PresetupVerdict.Way NVIDIA =
      new PresetupVerdict.Explicit(Dialect.NVIDIA_QEMU_8_2);
  private static final PresetupVerdict.Way GENERIC =
      new PresetupVerdict.Implicit(BackEndProfile.GENERIC);
  private static final PresetupVerdict.Way DPDK = new PresetupVerdict.Implicit(BackEndProfile.DPDK);

  private static PresetupVerdict verdict(ProbeResult result, PresetupVerdict.Way way) {
    return result.presetup().stream()
        .filter(verdict -> verdict.way().equals(way))
        .findFirst()
        .orElseThrow();
  }

  private static boolean possible(ProbeResult result, PresetupVerdict.Way way) {
    return verdict(result, way).possible();
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
      assertThat(possible(result, RFC)).isFalse();
      assertThat(possible(result, GENERIC)).isTrue();
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
      assertThat(possible(probe(Dialect.RFC_2023), RFC)).isTrue();
      ProbeResult upstream = probe(Dialect.UPSTREAM);
      assertThat(verdict(upstream, RFC).reason()).isEqualTo(PresetupVerdict.Reason.IF_OF_DIALECT);
      assertThat(verdict(upstream, RFC).early()).isNotEmpty();
      assertThat(possible(upstream, RFC)).isFalse();
      assertThat(verdict(upstream, NVIDIA).reason()).isEqualTo(PresetupVerdict.Reason.NO_PRESETUP);
      assertThat(verdict(upstream, NVIDIA).early()).isEmpty();
    }
  }

  private static List<EarlyPart> early(long features, long protocol) {
    var result =
        new ProbeResult(
            features,
            OptionalLong.of(protocol),
            0,
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalInt.empty(),
            SortedTimes.of(new long[0], 0),
            Dialect.UPSTREAM);
    return verdict(result, GENERIC).early();
  }

  @Test
  void theMtuIsToldOnlyWhereItIsOfferedInBothPlaces() {
    long feature = NetFeature.MTU.mask();
    long protocol = ProtocolFeature.MTU.mask();

    assertThat(early(feature, protocol))
        .containsExactly(
            EarlyPart.SIZE,
            EarlyPart.CALL,
            EarlyPart.ENABLE,
            EarlyPart.MEMORY,
            EarlyPart.FEATURES,
            EarlyPart.MTU);
    assertThat(early(feature, 0)).doesNotContain(EarlyPart.MTU);
    assertThat(early(0, protocol)).doesNotContain(EarlyPart.MTU);
  }

  /** Takes one connection, says something, and hangs up. */
  private static Thread answering(ServerSocketChannel server, String answer) {
    return Thread.ofPlatform()
        .start(() -> {
          try (SocketChannel client = server.accept()) {
            client.read(ByteBuffer.allocate(12));
            client.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.US_ASCII)));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  @ParameterizedTest
  @CsvSource({
    "HTTP/1.1 400 Bad Request, does not speak vhost-user (",
    "'', took the connection and hung up (",
  })
  void whatIsNoBackEndIsCalledThat(String answer, String why) throws Exception {
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(directory.resolve("s")));
      Thread thread = answering(server, answer);

      assertThatThrownBy(() -> probe(Dialect.UPSTREAM))
          .isInstanceOf(VhostException.class)
          .hasMessageStartingWith(directory.resolve("s") + " " + why)
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.RECONNECT);
      assertThat(thread.join(WITHIN)).isTrue();
    }
  }

  @Test
  void aSocketThatIsMuteIsNamed() throws Exception {
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(directory.resolve("s")));

      assertThatThrownBy(() ->
              BackEndProbe.probe(
                  directory.resolve("s"), Dialect.UPSTREAM, 0, Duration.ofMillis(50)))
          .isInstanceOf(DeadlineException.class)
          .hasMessageStartingWith(directory.resolve("s") + " took the connection")
          .hasMessageContaining("within 50 ms")
          .hasMessageContaining("it may be serving another front end");
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
      // DPDK 22.11 answers the most that its library can have, newer ones what the port has.
      assertThat(result.queues().orElse(0)).isBetween(2L, 128L);
      // Only newer ones offer memory slots.
      assertThat(result.memorySlots().isPresent())
          .isEqualTo(ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(result.protocolFeatures().orElse(0)));
      assertThat(result.status()).hasValue(0);
      assertThat(possible(result, DPDK)).isTrue();
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
      // 32 with QEMU 7.2, and more since.
      assertThat(result.memorySlots().orElse(0)).isGreaterThanOrEqualTo(32);
      assertThat(possible(result, DPDK)).isFalse();
      assertThat(possible(result, GENERIC)).isTrue();
    }
  }
}
