package io.github.jvhost.realbackend;

import io.github.jvhost.sys.OwnedDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** What the system tells of another process: its mappings of memory files, and its eventfds. */
record ProcessView(long pid) {
  /** The memory files that it has mapped, by their number in the file system. */
  Set<String> mappedMemoryFiles() {
    return lines(Path.of("/proc/" + pid + "/maps")).stream()
        .filter(line -> line.contains("/memfd:ram"))
        .map(line -> line.split(" +", -1)[4])
        .collect(Collectors.toSet());
  }

  /** Whether it holds a descriptor of this eventfd. */
  boolean holds(OwnedDescriptor eventfd) {
    String id = eventfdId(Path.of("/proc/self/fdinfo/" + eventfd.number()));
    if (id.isEmpty()) {
      throw new AssertionError("the kernel does not number its eventfds");
    }
    try (var files = Files.list(Path.of("/proc/" + pid + "/fdinfo"))) {
      return files.anyMatch(file -> eventfdId(file).equals(id));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String eventfdId(Path fdinfo) {
    return lines(fdinfo).stream()
        .filter(line -> line.startsWith("eventfd-id:"))
        .findFirst()
        .orElse("");
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (NoSuchFileException e) {
      return List.of(); // closed while we looked
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
