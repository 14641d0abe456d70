package io.github.jvhost.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * On what a benchmark ran.
 *
 * @param cores that the JVM may use
 * @param processor its name, or the architecture
 * @param jdk its version
 * @param kernel its release
 */
public record Machine(int cores, String processor, String jdk, String kernel) {
  private static final Path PROCESSORS = Path.of("/proc/cpuinfo");

  /** The one that this JVM runs on. */
  public static Machine thisOne() {
    return new Machine(
        Runtime.getRuntime().availableProcessors(),
        processorName(),
        Runtime.version().toString(),
        System.getProperty("os.version"));
  }

  private static String processorName() {
    try (var lines = Files.lines(PROCESSORS)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch"); // not every Linux shows one
    }
  }
}
