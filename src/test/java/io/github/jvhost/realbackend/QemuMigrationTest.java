package io.github.jvhost.realbackend;

import static io.github.jvhost.protocol.FrontEndRequest.GET_STATUS;
import static io.github.jvhost.protocol.FrontEndRequest.SET_FEATURES;
import static io.github.jvhost.protocol.FrontEndRequest.SET_MEM_TABLE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_STATUS;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_ADDR;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_BASE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_CALL;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_ENABLE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_KICK;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_NUM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.dpdk.PortStatistics;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.LinuxGuest;
import io.github.jvhost.testkit.qemu.PingCount;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureQueue;
import io.github.jvhost.testkit.trace.CapturedMessage;
import io.github.jvhost.virtio.DeviceStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A QEMU with a guest that pings is migrated from one testpmd to another: none of this is ours. */
@Timeout(180)
@ResourceLock("real back ends")
class QemuMigrationTest {
  private static final Path GUEST = Path.of("target", "linux-guest");

  /** How many requests QEMU 7.2 sends before any guest is there. */
  private static final int CONNECTING = 13;

  /** What QEMU 7.2 sends for one device with one queue pair when a guest has arrived. */
  private static final List<FrontEndRequest> QEMUS_WINDOW =
      List.of(
          SET_VRING_ENABLE,
          SET_VRING_ENABLE,
          SET_VRING_ENABLE,
          SET_VRING_ENABLE,
          SET_VRING_ENABLE,
          SET_VRING_ENABLE,
          SET_FEATURES,
          GET_STATUS,
          SET_STATUS,
          SET_MEM_TABLE,
          SET_VRING_NUM,
          SET_VRING_BASE,
          SET_VRING_ADDR,
          SET_VRING_KICK,
          SET_VRING_CALL,
          SET_VRING_NUM,
          SET_VRING_BASE,
          SET_VRING_ADDR,
          SET_VRING_KICK,
          SET_VRING_CALL,
          GET_STATUS,
          SET_STATUS);

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

  private Testpmd testpmd(String name) {
    return Testpmd.builder()
        .port(directory.resolve(name + ".0"))
        .port(directory.resolve(name + ".1"))
        .nice()
        .start(deadline());
  }

  private QemuGuest.Builder guest(String name) {
    return QemuGuest.builder(linux, directory, name);
  }

  /** All requests of a session up to its start, without the first ones, at connecting. */
  private static List<FrontEndRequest> window(CaptureQueue queue) throws InterruptedException {
    var requests = new ArrayList<FrontEndRequest>();
    Deadline deadline = deadline();
    while (!deadline.expired()) {
      for (CaptureEntry entry : queue.take(Duration.ofMillis(100))) {
        if (entry instanceof CapturedMessage message && message.route() == RelayRoute.TO_BACK_END) {
          requests.add(message.request());
          if (message.payload() instanceof U64(long status)
              && message.request() == SET_STATUS
              && (status & DeviceStatus.DRIVER_OK) != 0) {
            return requests.subList(CONNECTING, requests.size());
          }
        }
      }
    }
    throw new AssertionError("the device was not started: " + requests);
  }

  private static long dropped(Testpmd testpmd) {
    return testpmd.statistics(deadline()).stream()
        .mapToLong(PortStatistics::dropped)
        .max()
        .orElseThrow();
  }

  @Test
  void theGuestGoesOnPingingAtTheOtherBackEnd() throws InterruptedException {
    var nic0 = new CaptureQueue(Dialect.UPSTREAM);
    var nic1 = new CaptureQueue(Dialect.UPSTREAM);
    try (var here = testpmd("here");
        var source = guest("source").nic(here.socket(0)).nic(here.socket(1)).boot(deadline())) {
      assertThat(source.awaitAnswers(100, deadline())).hasSize(2);
      Path front0 = directory.resolve("front.0");
      Path front1 = directory.resolve("front.1");
      try (var there = testpmd("there");
          var _ = Relay.start(front0, there.socket(0), ledger, nic0);
          var _ = Relay.start(front1, there.socket(1), ledger, nic1);
          var destination = guest("destination").nic(front0).nic(front1).await(deadline())) {
        List<PingCount> before = source.awaitUnanswered(0, deadline());

        source.migrateTo(destination, deadline());

        List<PingCount> after = destination.awaitAnswers(100, deadline());
        for (int nic = 0; nic < 2; nic++) {
          assertThat(after.get(nic).answered()).isGreaterThan(before.get(nic).answered() + 100);
        }
        // testpmd drops, and counts, what it has taken from one ring when the other one is stopped.
        destination.awaitUnanswered(dropped(here) + dropped(there), deadline());
        // Two devices: the 44 messages that QEMU needs.
        assertThat(window(nic0)).containsExactlyElementsOf(QEMUS_WINDOW);
        assertThat(window(nic1)).containsExactlyElementsOf(QEMUS_WINDOW);
      }
    }
  }
}
