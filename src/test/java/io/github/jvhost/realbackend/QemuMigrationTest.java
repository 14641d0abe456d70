package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.qemu.LinuxGuest;
import io.github.jvhost.testkit.qemu.PingCount;
import io.github.jvhost.testkit.qemu.QemuGuest;
import io.github.jvhost.testkit.qemu.QemuSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

  private QemuGuest.Builder guest(String name, Testpmd backEnd) {
    return QemuGuest.builder(linux, directory, name).nic(backEnd.socket(0)).nic(backEnd.socket(1));
  }

  @Test
  void theGuestGoesOnPingingAtTheOtherBackEnd() {
    try (var here = testpmd("here");
        var source = guest("source", here).boot(deadline())) {
      assertThat(source.awaitAnswers(100, deadline())).hasSize(2);
      try (var there = testpmd("there");
          var destination = guest("destination", there).await(deadline())) {
        List<PingCount> before = source.awaitUnanswered(0, deadline());

        source.migrateTo(destination, deadline());

        List<PingCount> after = destination.awaitAnswers(100, deadline());
        for (int nic = 0; nic < 2; nic++) {
          assertThat(after.get(nic).answered()).isGreaterThan(before.get(nic).answered() + 100);
        }
      }
    }
  }
}
