package io.github.jvhost.realbackend;

import static io.github.jvhost.realbackend.NetMachine.deadline;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.ovs.Frames;
import io.github.jvhost.testkit.ovs.OpenVswitch;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.FrontEndListener;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Two guests on one real switch, which connects to us; skipped where it is not installed. */
@Timeout(90)
@ResourceLock("real back ends")
class OpenVswitchTest {
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private Path directory;

  @BeforeEach
  void needsOpenVswitch() throws IOException {
    Optional<String> reason = OpenVswitch.available();
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

  private NetMachine machine(int number, int peer, FrontEndListener listener) {
    return new NetMachine(
        new NetMachine.Setup(number, peer, 1, false),
        VhostDeviceOptions.of(
            "net" + number,
            new BackEndAddress.Listening(listener),
            Dialect.UPSTREAM,
            BackEndProfile.DPDK,
            ledger));
  }

  @Test
  void twoGuestsPingEachOtherThroughASwitchThatConnectsToThem() {
    try (var here = FrontEndListener.listen(directory.resolve("1"));
        var there = FrontEndListener.listen(directory.resolve("2"));
        var ovs = OpenVswitch.builder().port(here.path()).port(there.path()).start(deadline());
        var one = machine(1, 2, here);
        var two = machine(2, 1, there)) {
      one.start();
      two.start();

      one.awaitAnswers(50);
      two.awaitAnswers(50);

      assertThat(one.answeredByGuest()).isGreaterThanOrEqualTo(50);
      assertThat(two.answeredByGuest()).isGreaterThanOrEqualTo(50);
      for (int port = 0; port < ovs.ports(); port++) {
        Frames frames = ovs.frames(port, deadline());
        assertThat(frames.received()).isGreaterThanOrEqualTo(100);
        assertThat(frames.sent()).isGreaterThanOrEqualTo(100);
      }

      one.net.stop().orThrow();
      one.net.start();
      one.awaitAnswers(50);
      two.awaitAnswers(50);
      one.assertSound();
      two.assertSound();
    }
  }

  /** The switch comes back by itself within a second; so does the device. */
  @Test
  void aDeviceThatHangsUpIsConnectedToAgain() {
    try (var here = FrontEndListener.listen(directory.resolve("1"));
        var there = FrontEndListener.listen(directory.resolve("2"));
        var _ = OpenVswitch.builder().port(here.path()).port(there.path()).start(deadline());
        var one = machine(1, 2, here);
        var two = machine(2, 1, there)) {
      one.start();
      two.start();
      one.awaitAnswers(50);

      one.net.reconnect().orThrow();

      one.awaitAnswers(50);
      two.awaitAnswers(50);
      one.assertSound();
      two.assertSound();
    }
  }

  @Test
  void aSwitchThatIsEndedAndStartedAnewIsTakenBackByItself() {
    var options = OpenVswitch.builder().port(directory.resolve("1")).port(directory.resolve("2"));
    try (var here = FrontEndListener.listen(directory.resolve("1"));
        var there = FrontEndListener.listen(directory.resolve("2"));
        var watch = BackEndWatch.start(ledger, BackEndWatch.Listener.NONE)) {
      OpenVswitch ended = options.start(deadline());
      try (ended;
          var one = machine(1, 2, here);
          var two = machine(2, 1, there)) {
        var policy = new ReconnectPolicy.Fixed(Duration.ofMillis(50), 0);
        watch.watch(one.net, policy);
        watch.watch(two.net, policy);
        one.start();
        two.start();
        one.awaitAnswers(50);

        ended.close();
        try (var _ = options.start(deadline())) {
          one.awaitAnswers(50);
          two.awaitAnswers(50);

          one.assertSound();
          two.assertSound();
          watch.unwatch(one.net);
          watch.unwatch(two.net);
        }
      }
    }
  }
}
