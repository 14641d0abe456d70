package io.github.jvhost.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/** How much memory programs can still use on this machine. */
final class AvailableMemory {
  private static final String LABEL = "MemAvailable:";

  private AvailableMemory() {}

  /** Returns the available bytes, or nothing if the kernel does not report them. */
  static OptionalLong bytes() {
    try {
      return of(Files.readAllLines(Path.of("/proc/meminfo")));
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /** Parses lines such as {@code MemAvailable: 23456789 kB}. */
  static OptionalLong of(List<String> lines) {
    return lines.stream()
        .filter(line -> line.matches(LABEL + " *[0-9]{1,15} kB"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
        .findFirst();
  }
}
