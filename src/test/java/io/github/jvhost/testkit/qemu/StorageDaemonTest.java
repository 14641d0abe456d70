package io.github.jvhost.testkit.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Starts the real thing; skipped where it is not installed. */
@Timeout(60)
class StorageDaemonTest {
  private Path directory;
  private Path disk;

  @BeforeEach
  void needsTheDaemon() throws IOException {
    Optional<String> reason = StorageDaemon.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    directory = Files.createTempDirectory("jvhost");
    disk = Files.write(directory.resolve("disk"), new byte[512]);
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    if (directory != null) {
      Files.delete(disk);
      Files.delete(directory);
    }
  }

  private static Deadline deadline() {
    return Deadline.after(Duration.ofSeconds(30));
  }

  private Path socket() {
    return directory.resolve("blk");
  }

  @Test
  void listensAndLeavesNothingBehind() {
    long pid;
    try (var daemon = StorageDaemon.builder(disk, socket()).queues(4).start(deadline())) {
      pid = daemon.processId();
      assertThat(daemon.isAlive()).isTrue();
      assertThat(daemon.socket()).exists();
      assertThat(daemon.disk()).isEqualTo(disk);
    }

    assertThat(ProcessHandle.of(pid).filter(ProcessHandle::isAlive)).isEmpty();
    assertThat(socket()).doesNotExist();
  }

  @Test
  void anotherOneTakesThePlaceOfOneThatCrashed() {
    var crashed = StorageDaemon.builder(disk, socket()).start(deadline());
    crashed.crash();
    assertThat(crashed.isAlive()).isFalse();
    crashed.close();
    crashed.close();

    try (var again = StorageDaemon.builder(disk, socket()).start(deadline())) {
      assertThat(again.isAlive()).isTrue();
    }
  }

  @Test
  void refusesASocketThatExists() throws IOException {
    Files.createFile(socket());
    var builder = StorageDaemon.builder(disk, socket());

    assertThatThrownBy(() -> builder.start(deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("exists already");

    Files.delete(socket());
  }

  @Test
  void saysInOneLineWhyItDidNotStart() {
    var builder = StorageDaemon.builder(directory.resolve("missing"), socket());

    assertThatThrownBy(() -> builder.start(deadline()))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("starting qemu-storage-daemon: the process ended")
        .hasMessageContaining("missing")
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesWhatTheDaemonCouldNotParse() {
    assertThatThrownBy(() -> StorageDaemon.builder(Path.of("/run/a,b"), socket()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> StorageDaemon.builder(disk, Path.of("/" + "s".repeat(107))))
        .isInstanceOf(IllegalArgumentException.class);
    var builder = StorageDaemon.builder(disk, socket());
    assertThatThrownBy(() -> builder.queues(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.requestsPerSecond(0))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
