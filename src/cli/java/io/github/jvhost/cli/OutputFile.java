package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that a command writes. */
final class OutputFile {
  private OutputFile() {}

  /**
   * Fails at once, and not after half a minute of migrations, if the file cannot be written.
   *
   * @throws VhostException when it cannot be written
   */
  static void requireWritable(Path file) {
    Path directory = parent(file);
    if (Files.isDirectory(file) || (Files.exists(file) && !Files.isWritable(file))) {
      throw new VhostException(file + ": is no file that can be written", Recovery.GIVE_UP);
    }
    if (!Files.isDirectory(directory) || !Files.isWritable(directory)) {
      throw new VhostException(
          "%s: no file can be written in %s".formatted(file, directory), Recovery.GIVE_UP);
    }
  }

  private static Path parent(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? file.toAbsolutePath() : parent;
  }

  /**
   * Writes the file, or replaces it.
   *
   * @throws VhostException when that failed; the message has its name
   */
  static void write(String text, Path file) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** Returns the exception for a failed write of this file. */
  static VhostException failed(Path file, IOException e) {
    return new VhostException(
        "writing %s: %s".formatted(file, InputFile.reason(e)), Recovery.GIVE_UP, e);
  }
}
