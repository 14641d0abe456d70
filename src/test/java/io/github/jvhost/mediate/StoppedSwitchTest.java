package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.dpdk.VirtioUser;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A device moves to a testpmd that is stopped (SIGSTOP) in the middle of it, and goes on later.
 *
 * <pre>
 *   virtio-user ==net0== Mediator ==a==            testpmd
 *                                 ==tap== relay == testpmd, stopped at one of the messages
 * </pre>
 *
 * <p>One message of the start is tried; with {@code -Pnightly} each of the move. Skipped where
 * testpmd is missing.
 */
@Timeout(300)
class StoppedSwitchTest {
  /** The messages at which it is stopped: one that starts a ring, or all. */
  private static final int FIRST = Integer.getInteger("jvhost.soak.cycles", 0) < 30_000 ? 22 : 1;

  private static final int LAST = FIRST > 1 ? FIRST : 24;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** How many more messages the switch gets until it is stopped. */
  private final AtomicInteger left = new AtomicInteger();

  private Path directory;
  private Testpmd a;
  private Testpmd b;

  @BeforeEach
  void needsTestpmd() throws IOException {
    Optional<String> reason = Testpmd.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    directory = Files.createTempDirectory("jvhost"); // a socket's path has 107 bytes at most
    a = testpmd("a");
    b = testpmd("b");
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    if (a != null && b != null) {
      a.close();
      b.close();
      assertThat(ledger.describeOpen()).isEmpty();
      Files.delete(directory); // fails where a socket is still in it
    }
  }

  private Testpmd testpmd(String name) {
    return Testpmd.builder().port(directory.resolve(name)).noMlockall().nice().start(deadline());
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private void signal(String which) {
    try {
      var command = List.of("kill", which, Long.toString(b.processId()));
      assertThat(new ProcessBuilder(command).start().waitFor()).isZero();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private RelayObserver stopping() {
    return new RelayObserver() {
      @Override
      public void connected(int session, long nanos) {}

      @Override
      public void passed(RelayedMessage message) {
        if (message.route() == RelayRoute.TO_BACK_END && left.decrementAndGet() == 0) {
          signal("-STOP");
        }
      }

      @Override
      public void ended(int session, long nanos, String why) {}
    };
  }

  private Mediator mediator() {
    NicOptions nic =
        new NicOptions(
            "net0",
            new FrontEndAddress.Listen(directory.resolve("net0")),
            at("a"),
            Dialect.UPSTREAM,
            BackEndProfile.DPDK,
            new GuestRamPlace.FrontEnd(),
            Duration.ofSeconds(2),
            Duration.ofSeconds(4));
    return Mediator.start(MediatorOptions.of(List.of(nic)), ledger);
  }

  private BackEndAddress at(String name) {
    return new BackEndAddress.Socket(directory.resolve(name));
  }

  private static void send(VirtioUser frontEnd) {
    frontEnd.forward(deadline());
    frontEnd.stopForwarding(deadline());
  }

  private void awaitAllTaken(VirtioUser frontEnd) {
    long sent = frontEnd.statistics(deadline()).getFirst().txPackets();
    Wait.until(() -> taken() >= sent);
    assertThat(taken()).as("none is taken twice").isEqualTo(sent);
  }

  private long taken() {
    return a.statistics(deadline()).getFirst().rxPackets()
        + b.statistics(deadline()).getFirst().rxPackets();
  }

  /**
   * {@return whether it was: the switch may have answered all that it was asked before it stopped}
   */
  private boolean isMoved(Mediator mediator) {
    try {
      mediator.move("net0", at("tap"), Duration.ofSeconds(6));
      return true;
    } catch (VhostException e) {
      assertThat(e).hasMessageContaining("stays where it was");
      return false;
    }
  }

  @Test
  void theOldSwitchGoesOnAndTheNextMoveWorks() {
    try (Relay _ = Relay.start(directory.resolve("tap"), b.socket(0), ledger, stopping());
        Mediator mediator = mediator();
        VirtioUser frontEnd =
            VirtioUser.builder().port(directory.resolve("net0")).start(deadline())) {
      for (int nth = FIRST; nth <= LAST; nth++) {
        left.set(nth);
        boolean moved = isMoved(mediator);
        send(frontEnd);
        left.set(0);
        signal("-CONT");
        send(frontEnd);
        awaitAllTaken(frontEnd);
        mediator.move("net0", at(moved ? "a" : "tap"), Duration.ofSeconds(30));
        mediator.move("net0", at(moved ? "tap" : "a"), Duration.ofSeconds(30));
        if (moved) {
          mediator.move("net0", at("a"), Duration.ofSeconds(30));
        }
      }
      frontEnd.quit(deadline());
    }
  }
}
