package io.github.jvhost.vhost.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * How much memory this process may lock (RLIMIT_MEMLOCK), and how much of it devices have pinned.
 * The kernel counts both together, and holds root to the limit as well.
 *
 * @param limit in bytes; {@link Long#MAX_VALUE} without a limit, or if it is not known
 * @param pinned in bytes, by all devices of this process
 */
record LockedMemory(long limit, long pinned) {
  private static final Path LIMITS = Path.of("/proc/self/limits");
  private static final Path STATUS = Path.of("/proc/self/status");

  /** Reads both. What cannot be read counts as no limit, and as nothing. */
  static LockedMemory now() {
    long kilobytes = number(STATUS, "VmPin:", 0);
    return new LockedMemory(number(LIMITS, "Max locked memory", Long.MAX_VALUE), kilobytes << 10);
  }

  /** The first number behind a name; "unlimited" is none. */
  private static long number(Path file, String name, long otherwise) {
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> line.startsWith(name))
          .map(line -> line.substring(name.length()).strip().split("\\s+", 2)[0])
          .filter(word -> !word.isEmpty() && word.chars().allMatch(Character::isDigit))
          .mapToLong(Long::parseLong)
          .findFirst()
          .orElse(otherwise);
    } catch (IOException e) {
      return otherwise;
    }
  }

  /** Whether so many bytes more are over the limit. */
  boolean isTooLittleFor(long more) {
    return more > limit - pinned;
  }

  /** What a reader can do, for messages. */
  String advice(long needed) {
    return "this process may lock %d bytes and has locked %d, and the device needs %d more: raise RLIMIT_MEMLOCK (LimitMEMLOCK= of systemd, ulimit -l), for root too"
        .formatted(limit, pinned, needed);
  }
}
