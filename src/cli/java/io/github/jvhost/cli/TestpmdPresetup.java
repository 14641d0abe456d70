package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.probe.BackEndProbe;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Finds out whether a {@code dpdk-testpmd} has PRESETUP: a stock one does not, NVIDIA's fork does.
 */
final class TestpmdPresetup {
  /** The demo's dialect for PRESETUP. */
  static final Dialect DIALECT = Dialect.RFC_2023;

  private static final Duration START = Duration.ofSeconds(30);
  private static final Duration ANSWER = Duration.ofSeconds(10);

  private TestpmdPresetup() {}

  /**
   * Starts a testpmd, probes it, and ends it.
   *
   * @param program the file; null for dpdk-testpmd from PATH
   * @throws VhostException when it cannot be started, or does not answer
   */
  static boolean isIn(@Nullable Path program) {
    Path directory = makeDirectory();
    try {
      Testpmd.Builder builder = Testpmd.builder().port(directory.resolve("asked")).noMlockall();
      if (program != null) {
        builder.program(program);
      }
      try (Testpmd running = builder.start(Deadline.after(START))) {
        return isAt(running.socket(0));
      }
    } finally {
      remove(directory);
    }
  }

  /** {@return whether the back end that listens at a socket supports explicit presetup} */
  static boolean isAt(Path socket) {
    return BackEndProbe.probe(socket, DIALECT, 0, ANSWER).presetup().stream()
        .anyMatch(v -> v.way() instanceof PresetupVerdict.Explicit && v.possible());
  }

  private static Path makeDirectory() {
    try {
      return Files.createTempDirectory("jvhost");
    } catch (IOException e) {
      throw new VhostException(
          "making a directory for a socket: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Removes the directory. testpmd has removed its socket already. */
  private static void remove(Path directory) {
    try {
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      throw new VhostException(
          "removing " + directory + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
