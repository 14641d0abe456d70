package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A directory for sockets, with a path that is short enough for them.
 *
 * @param path where it is
 */
record TemporaryDirectory(Path path) implements AutoCloseable {
  static TemporaryDirectory make() {
    try {
      return new TemporaryDirectory(Files.createTempDirectory("jvhost-bench"));
    } catch (IOException e) {
      throw new VhostException(
          "making a directory for sockets: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Removes it with the files in it. */
  @Override
  public void close() {
    try (Stream<Path> files = Files.list(path)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(path);
    } catch (IOException e) {
      throw new VhostException("removing " + path + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
