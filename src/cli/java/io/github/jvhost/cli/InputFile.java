package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/**
 * A file that the command line names, or standard input for "-". It is unpacked if its first bytes
 * are those of gzip; its name does not matter.
 */
final class InputFile {
  private static final int BUFFER = 1 << 16;

  private InputFile() {}

  /** Uses the content of the file. Reading it may fail. */
  interface Use<T> {
    T of(InputStream stream) throws IOException;
  }

  /**
   * Opens the file, uses it and closes it. Standard input stays open.
   *
   * @throws VhostException when it cannot be read; the message has its name
   */
  static <T> T use(String name, InputStream standardInput, Use<T> use) {
    try {
      if (name.equals("-")) {
        return use.of(unpacked(standardInput));
      }
      try (InputStream file = Files.newInputStream(Path.of(name))) {
        return use.of(unpacked(file));
      }
    } catch (VhostException e) {
      // The content is wrong. There may be more than one file, so the message names this one.
      String why = e.getCause() instanceof IOException io ? reason(io) : StreamWords.of(e);
      throw new VhostException(name + ": " + why, e.recovery(), e);
    } catch (IOException e) {
      throw new VhostException(name + ": " + reason(e), Recovery.GIVE_UP, e);
    }
  }

  /** Returns why a file could not be opened, read or written, without its name. */
  static String reason(Throwable e) {
    return switch (e) {
      case NoSuchFileException _ -> "there is no such file";
      case EOFException _ -> "it was cut off: it ends within what gzip packed";
      case FileSystemException fs when fs.getReason() != null -> String.valueOf(fs.getReason());
      default -> String.valueOf(e.getMessage());
    };
  }

  private static InputStream unpacked(InputStream packed) throws IOException {
    InputStream in = new BufferedInputStream(packed, BUFFER);
    in.mark(2);
    int first = in.read();
    int second = in.read();
    in.reset();
    return first == 0x1F && second == 0x8B ? new GZIPInputStream(in, BUFFER) : in;
  }
}
