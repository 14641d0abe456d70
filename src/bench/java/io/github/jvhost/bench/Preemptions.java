package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How often the kernel took the core away from a thread that could have gone on: its involuntary
 * context switches. A time in which that happened says how long somebody else computed.
 */
final class Preemptions {
  private static final Path STATUS = Path.of("/proc/thread-self/status");
  private static final String COUNT = "nonvoluntary_ctxt_switches:";

  private Preemptions() {}

  /** Of the calling thread, since it began. */
  static long ofThisThread() {
    try (var lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith(COUNT))
          .mapToLong(line -> Long.parseLong(line.substring(COUNT.length()).strip()))
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      throw new VhostException("reading " + STATUS + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
