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
 * A file where the command line says it is: a file, or "-" for standard input; unpacked where it is
 * gzip, which is told by its first bytes and not by its name.
 */
final class InputFile {
  private static final int BUFFER = 1 << 16;

  private InputFile() {}

  /** What is done with what is in it; reading it may fail. */
  interface Use<T> {
    T of(InputStream stream) throws IOException;
  }

  /**
   * Opens, uses and closes it; standard input stays open.
   *
   * @throws VhostException it cannot be read; the message has its name
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
      // What was read is wrong: which of several files it was is for people to know.
      String why = e.getCause() instanceof IOException io ? reason(io) : StreamWords.of(e);
      throw new VhostException(name + ": " + why, e.recovery(), e);
    } catch (IOException e) {
      throw new VhostException(name + ": " + reason(e), Recovery.GIVE_UP, e);
    }
  }

  /** Why a file could not be opened, read or written, without its name. */
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
