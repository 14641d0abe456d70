package io.github.jvhost.testkit.scenario;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A source is told nonsense, or has a destination that does not fit: its guest runs on. */
@Timeout(60)
class HostileAnswerTest {
  private static final byte[] READY = Frame.stream(List.of(Frame.empty(Frame.READY)));

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private SocketDirectory directory;
  private StillHosts hosts;

  @BeforeEach
  void stand() {
    directory = SocketDirectory.create();
    hosts = new StillHosts(directory.path(), ledger);
  }

  @AfterEach
  void nothingIsLeft() {
    hosts.close();
    directory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  static Stream<byte[]> answers() {
    ByteBuffer unknown = ByteBuffer.allocate(64).putShort((short) 3).put("eth".getBytes(UTF_8));
    unknown.putInt(1).put((byte) 1).putShort((short) 0);
    ByteBuffer why = ByteBuffer.allocate(64).putShort((short) 4).put("full".getBytes(UTF_8));
    List<List<Frame>> all =
        List.of(
            List.of(),
            List.of(Frame.empty(Frame.RUNNING)),
            List.of(Frame.empty(Frame.READY)),
            List.of(Frame.empty(Frame.READY), Frame.empty(Frame.READY)),
            List.of(Frame.empty(Frame.READY), Frame.empty(Frame.RUNNING)),
            List.of(Frame.empty(Frame.READY), Frame.empty(Frame.COMMIT)),
            List.of(Frame.empty(Frame.READY), Frame.empty(77)),
            List.of(Frame.empty(Frame.READY), Frame.of(Frame.PRESET, unknown)),
            List.of(Frame.empty(Frame.READY), Frame.of(Frame.ABORT, why)));
    return all.stream().map(Frame::stream);
  }

  private void assertRunsOn() {
    assertThat(hosts.sourceVm.runs()).isTrue();
    assertThat(hosts.source.devices().getFirst().running()).isTrue();
  }

  @ParameterizedTest
  @MethodSource("answers")
  void theSourceRunsOnWhateverItIsAnswered(byte[] answer) {
    assertThatThrownBy(() -> hosts.leave(new ScriptedLink(answer), true))
        .isInstanceOf(MigrationException.class)
        .hasMessageEndingWith("; the guest runs on, on the source")
        .hasCauseInstanceOf(VhostException.class);
    assertRunsOn();
  }

  @Test
  void theSourceRunsOnWhenItIsAnsweredNoise() {
    for (long seed = 0; seed < 25; seed++) {
      var random = new SplittableRandom(seed);
      byte[] noise = new byte[random.nextInt(200)];
      random.nextBytes(noise);
      var answer = new ByteArrayOutputStream();
      answer.writeBytes(random.nextBoolean() ? READY : new byte[0]);
      answer.writeBytes(noise);
      String what = "seed " + seed;

      assertThatThrownBy(() -> hosts.leave(new ScriptedLink(answer.toByteArray()), true))
          .as(what)
          .isInstanceOf(MigrationException.class)
          .hasCauseInstanceOf(VhostException.class);
      assertRunsOn();
    }
  }

  // ---- both are real, and do not fit ----

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void twoThatDoNotFitTogetherSaySoToEachOther(boolean memory) throws Exception {
    try (Host target = memory ? hosts.targetWithMemory(32 << 20) : hosts.target();
        var links = Links.connect(directory.path().resolve("m"))) {
      var vm = new StillHosts.Vm(false);
      var arriving =
          new FutureTask<>(() ->
              StillHosts.arrive(
                  memory ? target.devices() : List.of(),
                  target,
                  vm,
                  links.destination(),
                  PresetupMode.IMPLICIT));
      Thread.ofPlatform().daemon().start(arriving);

      assertThatThrownBy(() -> hosts.leave(links.source(), true))
          .isInstanceOf(MigrationException.class)
          .hasMessageContaining("the destination gave up: migration stream: ")
          .hasMessageContaining(memory ? "guest memory differs" : "the devices differ")
          .hasMessageEndingWith("; the guest runs on, on the source");

      assertThatThrownBy(() -> arriving.get(20, TimeUnit.SECONDS))
          .hasCauseInstanceOf(MigrationException.class);
      assertThat(vm.runs()).isFalse();
      assertRunsOn();
    }
  }

  /** It may run there, so it must not run here. */
  @Test
  void whatIsNotUnderstoodBehindTheHandOverKeepsTheGuestStopped() {
    byte[] answer = Frame.stream(List.of(Frame.empty(Frame.READY), Frame.empty(Frame.READY)));
    var link = new HostileStreamTest.PatientLink(new ScriptedLink(answer), new AtomicInteger());

    assertThatThrownBy(() -> hosts.leave(link, false))
        .isInstanceOf(MigrationException.class)
        .hasMessageContaining("READY after COMMIT; everything had been handed over")
        .extracting(e -> ((MigrationException) e).recovery())
        .isEqualTo(Recovery.GIVE_UP);
    assertThat(hosts.sourceVm.runs()).isFalse();
    assertThat(hosts.source.devices().getFirst().running()).isFalse();
  }
}
