package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.report.ReportPage;
import io.github.jvhost.testkit.scenario.RunResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a report goes, and what it is made of: always the JSON, so that it has no more than that.
 */
final class ReportFile {
  private static final int MAX_BYTES = 64 << 20;

  private ReportFile() {}

  /**
   * Says now, and not after half a minute of migrations, that there is no place for a report.
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

  /** The page of results that were not written down. */
  static void write(List<RunResult> results, Path file) {
    var json = new StringWriter();
    DemoJson.write(results, new PrintWriter(json));
    write(ReportPage.of("the demo's JSON", new StringReader(json.toString())), file);
  }

  /**
   * The page of a file that {@code demo --json} wrote.
   *
   * @param name the file, or "-" for standard input
   */
  static String page(String name) {
    byte[] text = StreamFile.use(name, System.in, stream -> stream.readNBytes(MAX_BYTES + 1));
    if (text.length > MAX_BYTES) {
      throw new VhostException(
          "%s: more than %d MiB, which no demo prints".formatted(name, MAX_BYTES >> 20),
          Recovery.GIVE_UP);
    }
    return ReportPage.of(name, new StringReader(new String(text, StandardCharsets.UTF_8)));
  }

  static void write(String page, Path file) {
    try {
      Files.writeString(file, page);
    } catch (IOException e) {
      throw new VhostException("writing %s: %s".formatted(file, reason(e)), Recovery.GIVE_UP, e);
    }
  }

  private static @Nullable String reason(IOException e) {
    return e instanceof FileSystemException fs && fs.getReason() != null
        ? fs.getReason()
        : e.getMessage();
  }
}
