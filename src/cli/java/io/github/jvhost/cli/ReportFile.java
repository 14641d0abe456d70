package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.report.ReportPage;
import io.github.jvhost.testkit.scenario.RunResult;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** Writes a report. It is always made from the JSON, so that it contains nothing else. */
final class ReportFile {
  private static final int MAX_BYTES = 64 << 20;

  private ReportFile() {}

  /** Writes the page of results that exist only in memory. */
  static void write(List<RunResult> results, Path file) {
    var json = new StringWriter();
    JsonText.print(new PrintWriter(json), DemoJson.of(results));
    OutputFile.write(ReportPage.of("the demo's JSON", new StringReader(json.toString())), file);
  }

  /**
   * Returns the page of a file from {@code demo --json}.
   *
   * @param name the file, or "-" for standard input
   */
  static String page(String name) {
    byte[] text = InputFile.use(name, System.in, stream -> stream.readNBytes(MAX_BYTES + 1));
    if (text.length > MAX_BYTES) {
      throw new VhostException(
          "%s: more than %d MiB, which no demo prints".formatted(name, MAX_BYTES >> 20),
          Recovery.GIVE_UP);
    }
    return ReportPage.of(name, new StringReader(new String(text, StandardCharsets.UTF_8)));
  }
}
