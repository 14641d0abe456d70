package io.github.jvhost.realbackend;

import static io.github.jvhost.protocol.FrontEndRequest.SET_STATUS;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_BASE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_CALL;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_KICK;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.mediate.NicStatus;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.LinuxGuest;
import io.github.jvhost.testkit.qemu.PingCount;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.testkit.trace.CapturedMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A guest migrates between two hosts on which neither QEMU nor testpmd knows of the mediator. */
@Timeout(300)
@ResourceLock("real back ends")
class MediatedMigrationTest {
  private static final Path GUEST = Path.of("target", "linux-guest");

  /** What a switch has to be told of one queue pair when everything was predicted. */
  private static final List<FrontEndRequest> LEAST =
      List.of(
          SET_VRING_CALL,
          SET_VRING_CALL,
          SET_VRING_BASE,
          SET_VRING_KICK,
          SET_VRING_BASE,
          SET_VRING_KICK,
          SET_STATUS); // none of them has an answer

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;
  private LinuxGuest linux;

  @BeforeEach
  void isInstalled() throws IOException {
    Optional<String> reason =
        Stream.of(QemuSystem.available(), Testpmd.available())
            .flatMap(Optional::stream)
            .findFirst()
            .or(() -> LinuxGuest.available(GUEST, deadline()));
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    linux = LinuxGuest.in(GUEST, deadline());
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

  /** A guest that goes from one host to the other, and back, again and again. */
  private final class Journey implements AutoCloseable {
    private final HintForger forger;
    private MediatedHost here;
    private MediatedHost there;
    private QemuGuest guest;
    private Optional<QemuGuest> destination = Optional.empty();
    private int machines;
    private long droppedElsewhere;

    Journey() {
      String one = directory.resolve("peer.1").toString();
      String other = directory.resolve("peer.2").toString();
      forger = new HintForger(one, other);
      here = new MediatedHost(directory, "one", one, ledger);
      there = new MediatedHost(directory, "other", other, ledger);
      guest = here.guest(linux, "machine").boot(deadline());
      guest.awaitAnswers(100, deadline());
    }

    /** Begins a migration, and holds it as soon as the other switch has been told early. */
    void beginHop(WrongPrediction wrong) {
      forger.forge(wrong.forgery());
      QemuGuest.Builder next = there.guest(linux, "machine" + ++machines);
      if (wrong.anotherFile()) {
        next.machine(QemuSystem.Builder::unusedMemory);
      }
      destination = Optional.of(next.await(deadline()));
      bandwidth(1 << 20);
      guest.beginMigrationTo(destination.get(), deadline());
      there.await("preset", status -> status.state().equals("PRESET"));
    }

    /** Lets a migration go on to its end. */
    void endHop() {
      there.forget();
      List<PingCount> before = guest.awaitAnswers(1, deadline());
      bandwidth(1L << 30);
      guest.qemu().awaitMigrated(deadline());
      QemuGuest arrived = destination.orElseThrow();
      List<PingCount> after = arrived.awaitAnswers(100, deadline());
      for (int nic = 0; nic < MediatedHost.NICS; nic++) {
        assertThat(after.get(nic).answered()).isGreaterThan(before.get(nic).answered() + 100);
      }
      // testpmd drops, and counts, what it has taken from one ring when the other one is stopped.
      arrived.awaitUnanswered(here.dropped() + there.dropped() + droppedElsewhere, deadline());
      guest.close();
      guest = arrived;
      destination = Optional.empty();
      MediatedHost left = here;
      here = there;
      there = left;
    }

    /** The host that the guest came from is shut down, and a third one takes its place. */
    void shutDownWhereItCameFrom() {
      droppedElsewhere += there.dropped();
      there.close();
      there = new MediatedHost(directory, "third", directory.resolve("peer.1").toString(), ledger);
    }

    /** The guest stays where it is. The other machine ends by itself. */
    void cancel() {
      guest.qemu().execute("migrate_cancel", Map.of(), deadline());
      there.await("without a front end", status -> status.state().equals("NO_FRONT_END"));
      destination.orElseThrow().close();
      destination = Optional.empty();
    }

    private void bandwidth(long bytes) {
      guest.qemu().execute("migrate-set-parameters", Map.of("max-bandwidth", bytes), deadline());
    }

    /** What the switch here was told since it was told early. */
    void assertToldHere(WrongPrediction wrong) {
      for (NicStatus status : here.await("running", s -> s.state().equals("RUNNING"))) {
        assertThat(status.presetup())
            .isNotNull()
            .matches(presetup -> presetup.from().startsWith("the peer"))
            .matches(presetup -> presetup.complete());
        assertThat(status.lastStart())
            .as(wrong.what())
            .isNotNull()
            .extracting(start -> start.messages())
            .isEqualTo(LEAST.size() + wrong.told().size());
      }
      for (int nic = 0; nic < MediatedHost.NICS; nic++) {
        List<CapturedMessage> said = here.said(nic);
        assertThat(said)
            .extracting(CapturedMessage::request)
            .containsExactlyInAnyOrderElementsOf(
                Stream.concat(LEAST.stream(), wrong.told().stream()).toList());
        if (wrong.told().isEmpty()) {
          assertThat(said).noneMatch(CapturedMessage::needReply);
        }
      }
    }

    @Override
    public void close() {
      destination.ifPresent(QemuGuest::close);
      guest.close();
      here.close();
      there.close();
      forger.close();
    }
  }

  /**
   * One guest, with everything predicted, and in each way in which a prediction can be wrong.
   *
   * <p>QEMU 7.2's emulation loses a guest now and then: it panics, or stands still, after a
   * migration. Guests of 1 GiB, with QEMU connected straight to testpmd, were lost in 2 of about 70
   * migrations; guests of 256 MiB, as here, were not lost in any of 150, with a mediator or
   * without.
   */
  @Test
  void theSwitchIsToldTheDifferenceToWhatWasPredicted() {
    try (var journey = new Journey()) {
      List<WrongPrediction> all = new ArrayList<>(List.of(WrongPrediction.NONE));
      all.addAll(WrongPrediction.all());
      for (WrongPrediction wrong : all) {
        journey.beginHop(wrong);
        journey.endHop();
        journey.assertToldHere(wrong);
      }
    }
  }

  @Test
  void aMigrationThatIsCancelledIsPredictedAgain() {
    try (var journey = new Journey()) {
      journey.beginHop(WrongPrediction.NONE);
      journey.cancel();
      journey.here.await("not logging", s -> s.state().equals("RUNNING") && !s.logging());
      journey.guest.awaitAnswers(100, deadline());

      journey.beginHop(WrongPrediction.NONE);
      journey.endHop();

      journey.assertToldHere(WrongPrediction.NONE);
    }
  }

  /** With {@code -Pnightly} only: it takes half a minute. */
  @Test
  void theSecondHopOfAChainIsAsShortAsTheFirst() {
    assumeTrue(Integer.getInteger("jvhost.soak.cycles", 0) >= 30_000, "it is for -Pnightly");
    try (var journey = new Journey()) {
      journey.beginHop(WrongPrediction.NONE);
      journey.endHop();
      journey.assertToldHere(WrongPrediction.NONE);

      journey.shutDownWhereItCameFrom();
      journey.beginHop(WrongPrediction.NONE);
      journey.endHop();

      journey.assertToldHere(WrongPrediction.NONE);
    }
  }
}
