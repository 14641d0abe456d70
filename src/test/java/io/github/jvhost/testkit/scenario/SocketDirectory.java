package io.github.jvhost.testkit.scenario;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A directory for sockets, which fails to close where one is left in it. Not JUnit's: a socket's
 * path has room for 107 bytes only.
 */
record SocketDirectory(Path path) implements AutoCloseable {
  static SocketDirectory create() {
    try {
      return new SocketDirectory(Files.createTempDirectory("jvhost"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
