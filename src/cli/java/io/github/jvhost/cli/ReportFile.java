package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.report.ReportPage;
import io.github.jvhost.testkit.scenario.RunResult;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.SequenceInputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Makes and writes reports. That of a demo is always made from the JSON, so that it contains
 * nothing else.
 */
final class ReportFile {
  private static final int MAX_BYTES = 64 << 20;

  /** A recording's first bytes. */
  private static final byte[] RECORDING = {'F', 'L', 'R', 0};

  private static final long MAX_RECORDING = 1 << 30;
  private static final int BUFFER = 1 << 16;

  private ReportFile() {}

  /** Writes the page of results that exist only in memory. */
  static void write(List<RunResult> results, Path file) {
    var json = new StringWriter();
    JsonText.print(new PrintWriter(json), DemoJson.of(results));
    OutputFile.write(ReportPage.of("the demo's JSON", new StringReader(json.toString())), file);
  }

  /**
   * Returns the page of a file from {@code demo --json}, or of a flight recording. Its first bytes
   * say which it is, and its name does not matter.
   *
   * @param name the file, or "-" for standard input
   */
  static String page(String name) {
    Supplier<String> page =
        InputFile.use(
            name,
            System.in,
            stream -> {
              byte[] first = stream.readNBytes(RECORDING.length);
              var whole = new SequenceInputStream(new ByteArrayInputStream(first), stream);
              if (first.length == 0) {
                throw new VhostException(
                    "it is empty. A recording is written when its program ends, or by 'jcmd PID"
                        + " JFR.dump'",
                    Recovery.GIVE_UP);
              }
              return Arrays.equals(first, RECORDING) ? recording(whole) : json(name, whole);
            });
    return page.get();
  }

  private static Supplier<String> json(String name, InputStream stream) throws IOException {
    byte[] text = stream.readNBytes(MAX_BYTES + 1);
    if (text.length > MAX_BYTES) {
      throw new VhostException(
          "more than %d MiB, which no demo prints".formatted(MAX_BYTES >> 20), Recovery.GIVE_UP);
    }
    return () -> ReportPage.of(name, new StringReader(new String(text, StandardCharsets.UTF_8)));
  }

  /** It is read from a copy, because the JDK reads a file only, and nobody else writes to this. */
  private static Supplier<String> recording(InputStream stream) throws IOException {
    Path copy = Files.createTempFile("jvhost", ".jfr");
    try {
      long size = 0;
      try (OutputStream out = Files.newOutputStream(copy)) {
        byte[] some = stream.readNBytes(BUFFER);
        while (some.length > 0) {
          size += some.length;
          if (size > MAX_RECORDING) {
            throw new VhostException(
                "more than %d MiB; take the part that is needed: jfr scrub --include-events 'io.github.jvhost.*' RECORDING.jfr PART.jfr"
                    .formatted(MAX_RECORDING >> 20),
                Recovery.GIVE_UP);
          }
          out.write(some);
          some = stream.readNBytes(BUFFER);
        }
      }
      String page = ReportPage.ofRecording(copy);
      return () -> page;
    } finally {
      Files.delete(copy);
    }
  }
}
