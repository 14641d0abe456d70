package io.github.jvhost.sys;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What this process really has open, as the kernel sees it: the check on the ledger's own
 * book-keeping. Only those kinds are counted that this library opens; the JVM opens jar files and
 * the like whenever it pleases.
 */
public final class OpenDescriptors {
  private static final Path OWN = Path.of("/proc/self/fd");

  private OpenDescriptors() {}

  /**
   * How many eventfds, memory files and sockets are open. A test asserts that there are no more
   * than before: those that an earlier test of this JVM has left to the garbage collector may go
   * any time.
   */
  public static int count() {
    return list().size();
  }

  /** One line for each: {@code "17 -> anon_inode:[eventfd]"}. */
  public static List<String> list() {
    List<String> found = new ArrayList<>();
    try (DirectoryStream<Path> numbers = Files.newDirectoryStream(OWN)) {
      for (Path number : numbers) {
        String target = target(number);
        if (target.startsWith("anon_inode:[eventfd")
            || target.startsWith("/memfd:")
            || target.startsWith("socket:")) {
          found.add(number.getFileName() + " -> " + target);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return found;
  }

  private static String target(Path number) throws IOException {
    try {
      return Files.readSymbolicLink(number).toString();
    } catch (NoSuchFileException e) {
      return ""; // closed by another thread meanwhile
    }
  }
}
