package io.github.jvhost.realbackend;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Runs a command in a Linux guest that has vhost-net and taps, which this machine may lack. QEMU
 * emulates the guest. It sees this machine's files, so the tests' classes run there as they are.
 * See build/kernel-guest/README.md.
 */
final class KernelGuest {
  private static final Path SCRIPTS = Path.of("build", "kernel-guest");
  private static final Path CACHE = Path.of("target", "kernel-guest").toAbsolutePath();
  private static final Duration AT_MOST = Duration.ofMinutes(5);

  private KernelGuest() {}

  /** Why it cannot run here, as a sentence for a skipped test; empty: it can. */
  static Optional<String> missing() {
    for (String program : List.of("qemu-system-x86_64", "dpkg-deb", "modinfo", "xz", "ip")) {
      boolean found =
          ChildProcess.find(program, Path.of("/sbin"), Path.of("/usr/sbin")).isPresent();
      if (!found) {
        return Optional.of("a guest with Linux needs " + program);
      }
    }
    return failed("prepare.sh");
  }

  /** The same for the simulator of vDPA devices, which is compiled for the guest's kernel. */
  static Optional<String> simulatorMissing() {
    return missing().or(() -> failed("vdpa-sim.sh"));
  }

  private static Optional<String> failed(String script) {
    try {
      run(Map.of(), SCRIPTS.resolve(script).toString());
      return Optional.empty();
    } catch (VhostException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /**
   * Runs a command in the guest, as its root.
   *
   * @param moduleArguments arguments of kernel modules: {@code vdpa_sim.use_va=0}
   * @return what it printed
   * @throws VhostException if it failed, with what it printed
   */
  static String command(String command, String... moduleArguments) {
    return run(
        Map.of("KG_MODULE_ARGS", String.join(" ", moduleArguments)),
        SCRIPTS.resolve("start.sh").toString(),
        command);
  }

  /** The command line of a class of the tests in the guest. */
  static String java(Class<?> main, String... arguments) {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    List<String> words =
        List.of(
            java,
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classPath(),
            main.getName());
    return String.join(" ", Stream.concat(words.stream(), Stream.of(arguments)).toList());
  }

  /** With absolute paths. Surefire's class path may be one jar that names the others. */
  private static String classPath() {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path", ""));
    return String.join(
        ":",
        Stream.of(path.split(":", -1))
            .map(entry -> Path.of(entry).toAbsolutePath())
            .filter(Files::exists)
            .map(Path::toString)
            .toList());
  }

  private static String run(Map<String, String> settings, String... script) {
    List<String> words = Stream.concat(Stream.of("bash"), Stream.of(script)).toList();
    var environment = new HashMap<>(settings);
    environment.put("KG_DIR", CACHE.toString());
    environment.put("KG_TIMEOUT", String.valueOf(AT_MOST.toSeconds()));
    try (ChildProcess process = ChildProcess.leashed("kernel guest", words, environment)) {
      boolean ended = process.awaitExit(Deadline.after(AT_MOST.plusSeconds(20)));
      if (ended) {
        process.awaitOutput();
      }
      String printed = process.transcript().text();
      if (!ended || process.exitValue() != 0) {
        throw new VhostException(
            "a command in a guest with Linux failed:\n" + printed, Recovery.GIVE_UP);
      }
      return printed;
    }
  }
}
