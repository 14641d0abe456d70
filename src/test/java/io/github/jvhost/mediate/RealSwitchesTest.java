package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.dpdk.VirtioUser;
import io.github.jvhost.testkit.net.ReflectingPort;
import io.github.jvhost.testkit.ovs.OpenVswitch;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.FrontEndListener;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * DPDK as front end, DPDK and Open vSwitch as switches, and none of them knows of the mediator.
 *
 * <pre>
 *   virtio-user ==net0== Mediator ==a== testpmd       each counts the frames that it takes
 *                                 ==b== testpmd
 *                                 ==o== Open vSwitch
 * </pre>
 *
 * <p>Skipped where a program is missing.
 */
class RealSwitchesTest {
  /** Frames that virtio-user sends at each start. */
  private static final int BURST = 32;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;
  private Mediator mediator;
  private @Nullable VirtioUser frontEnd;

  /** Closed after the mediator, which may be waiting there for a switch. */
  private @Nullable FrontEndListener listener;

  @BeforeEach
  void needsTestpmd() throws IOException {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    directory = Files.createTempDirectory("jvhost"); // a socket's path has 107 bytes at most
    mediator =
        Mediator.start(
            MediatorOptions.of(
                List.of(
                    NicOptions.of(
                        "net0",
                        new FrontEndAddress.Listen(directory.resolve("net0")),
                        at("a"),
                        BackEndProfile.DPDK))),
            ledger);
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    if (frontEnd != null) {
      frontEnd.close();
    }
    if (mediator != null) {
      mediator.close();
      if (listener != null) {
        listener.close();
      }
      assertThat(ledger.describeOpen()).isEmpty();
      Files.delete(directory); // fails where a socket is still in it
    }
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private BackEndAddress at(String name) {
    return new BackEndAddress.Socket(directory.resolve(name));
  }

  private Testpmd testpmd(String name) {
    return Testpmd.builder().port(directory.resolve(name)).noMlockall().nice().start(deadline());
  }

  private void startFrontEnd() {
    frontEnd = VirtioUser.builder().port(directory.resolve("net0")).start(deadline());
  }

  private void startPackedFrontEnd() {
    frontEnd = VirtioUser.builder().port(directory.resolve("net0")).packed().start(deadline());
  }

  /** Sends a burst, which goes to and fro, until more frames have come back than that. */
  private void goRound() {
    long frames = came() + 2L * BURST;
    frontEnd().forward(deadline());
    Wait.until(() -> came() > frames);
    frontEnd().stopForwarding(deadline());
  }

  private long came() {
    return frontEnd().statistics(deadline()).getFirst().rxPackets();
  }

  private VirtioUser frontEnd() {
    return Objects.requireNonNull(frontEnd);
  }

  /** Sends a burst of frames, which may still be in the ring when this returns. */
  private void send() {
    frontEnd().forward(deadline());
    frontEnd().stopForwarding(deadline());
  }

  private long sent() {
    return frontEnd().statistics(deadline()).getFirst().txPackets();
  }

  private static long taken(Testpmd one) {
    PortStatistics port = one.statistics(deadline()).getFirst();
    assertThat(port.rxMissed() + port.rxErrors()).as(port.toString()).isZero();
    return port.rxPackets();
  }

  private static long received(OpenVswitch ovs) {
    return ovs.frames(0, deadline()).received();
  }

  private static void await(LongSupplier taken, long frames) {
    Deadline deadline = deadline();
    while (taken.getAsLong() < frames) {
      assertThat(deadline.expired()).as("%d of %d", taken.getAsLong(), frames).isFalse();
    }
    assertThat(taken.getAsLong()).as("none is taken twice").isEqualTo(frames);
  }

  private void move(BackEndAddress to) {
    mediator.move("net0", to, Duration.ofSeconds(30));
  }

  private NicStatus status() {
    return mediator.status().getFirst();
  }

  @Test
  void fiftyMovesLoseNoFrame() {
    Optional<String> noOvs = OpenVswitch.available();
    assumeTrue(noOvs.isEmpty(), () -> noOvs.orElse(""));
    FrontEndListener listening = FrontEndListener.listen(directory.resolve("o"));
    listener = listening;
    try (Testpmd a = testpmd("a");
        Testpmd b = testpmd("b");
        OpenVswitch ovs = OpenVswitch.builder().port(directory.resolve("o")).start(deadline())) {
      BackEndAddress toOvs = new BackEndAddress.Listening(listening);
      startFrontEnd();
      send();
      await(() -> taken(a), BURST);
      long messages = status().messages();
      for (int i = 1; i <= 40; i++) {
        send();
        move(at(i % 2 == 0 ? "a" : "b"));
      }
      await(() -> taken(a) + taken(b), sent());
      long atOvs = 0;
      for (int i = 1; i <= 5; i++) {
        send();
        move(toOvs);
        send();
        long earlier = atOvs;
        await(() -> taken(a) + taken(b) + earlier + received(ovs), sent());
        atOvs += received(ovs); // it counts anew at each connection
        move(at(i % 2 == 0 ? "a" : "b"));
        send();
        long before = atOvs;
        await(() -> taken(a) + taken(b) + before, sent());
      }
      assertThat(atOvs).isPositive();
      assertThat(sent()).isEqualTo(56L * BURST);
      assertThat(taken(b)).isPositive();
      assertThat(status().messages()).as("the front end was told nothing").isEqualTo(messages);
      frontEnd().quit(deadline());
    }
  }

  @Test
  void aKilledSwitchIsReplacedByItsStandby() {
    try (Testpmd a = testpmd("a");
        Testpmd b = testpmd("b")) {
      startFrontEnd();
      send();
      await(() -> taken(a), BURST);
      mediator.standby("net0", at("b"));
      Wait.until(() -> {
        NicStatus.Standby standby = status().standby();
        return standby != null && standby.ready();
      });
      long messages = status().messages();

      a.crash();
      send();
      await(() -> taken(b), BURST);
      assertThat(status().theSwitch()).isEqualTo(directory.resolve("b").toString());
      assertThat(status().messages()).as("the front end was told nothing").isEqualTo(messages);
      frontEnd().quit(deadline());
    }
  }

  @Test
  void aKilledSwitchThatIsStartedAgainIsToldEverything() {
    try (Testpmd a = testpmd("a")) {
      startFrontEnd();
      send();
      await(() -> taken(a), BURST);
      a.crash();
    } // its socket's file goes as well
    long messages = status().messages();
    send();

    try (Testpmd again = testpmd("a")) {
      await(() -> taken(again), BURST);
      send();
      await(() -> taken(again), 2L * BURST);
      assertThat(status().messages()).as("the front end was told nothing").isEqualTo(messages);
      frontEnd().quit(deadline());
    }
  }

  /** testpmd does not keep requests in flight; a back end of ours does. */
  @Test
  void packedRingsOfAKilledSwitchGoOnWhereItsInFlightRegionSays() {
    BackEndOffer dpdk = BackEndOffer.of(Personality.DPDK);
    BackEndOffer offer =
        dpdk.withFeatures(dpdk.features() | NetFeature.RING_PACKED.mask())
            .with(ProtocolFeature.INFLIGHT_SHMFD);
    DescriptorLedger theirs = DescriptorLedger.tracing();
    for (int life = 0; life < 4; life++) {
      try (MockBackEnd a =
          MockBackEnd.builder(directory.resolve("a"), theirs)
              .offer(offer)
              .port(new ReflectingPort("a", 256))
              .start()) {
        if (life == 0) {
          startPackedFrontEnd();
        }
        goRound();
        assertThat(a.record().violations()).isEmpty();
        assertThat(a.record().count(FrontEndRequest.SET_INFLIGHT_FD)).isOne();
        assertThat(a.record().count(FrontEndRequest.GET_INFLIGHT_FD)).isEqualTo(life == 0 ? 1 : 0);
      }
    }
    assertThat(theirs.describeOpen()).isEmpty();
  }

  /** It is told by the old switch where its rings are. */
  @Test
  void packedRingsMove() {
    try (Testpmd a = testpmd("a");
        Testpmd b = testpmd("b")) {
      startPackedFrontEnd();
      for (int i = 1; i <= 10; i++) {
        send();
        move(at(i % 2 == 0 ? "a" : "b"));
        send();
      }
      await(() -> taken(a) + taken(b), 20L * BURST);
      assertThat(taken(b)).isPositive();
      frontEnd().quit(deadline());
    }
  }

  /** Nobody knows where its rings are: the front end goes on without frames, and may reset. */
  @Test
  void packedRingsOfAKilledSwitchWithoutAnInFlightRegionWaitForAReset() {
    try (Testpmd a = testpmd("a")) {
      startPackedFrontEnd();
      send();
      await(() -> taken(a), BURST);
      a.crash();
    }
    try (Testpmd again = testpmd("a")) {
      Wait.until(() -> String.valueOf(status().lastFailure()).contains("packed rings"));
      send();
      assertThat(taken(again)).isZero();
      frontEnd().quit(deadline());
      frontEnd().close();
      startPackedFrontEnd();
      send();
      await(() -> taken(again), BURST);
      frontEnd().quit(deadline());
    }
  }
}
