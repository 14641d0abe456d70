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
   * Says now, and not after half a minute of migrations, that there is no place for what is to be
   * written.
   *
   * @throws VhostException it cannot be written
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
   * Writes it anew.
   *
   * @throws VhostException that failed; the message has its name
   */
  static void write(String text, Path file) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  /** What is said when writing this file failed. */
  static VhostException failed(Path file, IOException e) {
    return new VhostException(
        "writing %s: %s".formatted(file, InputFile.reason(e)), Recovery.GIVE_UP, e);
  }
}
