package io.github.jvhost.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FlightRecording;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code jvhost report} and {@code demo --report}. */
@Timeout(60)
class ReportCommandTest {
  private static final String[] SMALL = {
    "--memory=32M", "--presetup=implicit", "--hardware-model=none"
  };

  @TempDir private Path files;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int jvhost(String... args) {
    return Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
  }

  private void assertRefused(int code, String says, String... args) {
    assertThat(jvhost(args)).isEqualTo(code);
    assertThat(out.toString()).isEmpty();
    assertThat(err.toString().lines())
        .singleElement()
        .asString()
        .startsWith("jvhost: ")
        .contains(says);
    err.getBuffer().setLength(0);
  }

  @Test
  void aFileBecomesAPage() throws IOException {
    Path run = Files.writeString(files.resolve("run.json"), CommandLines.demoJson(SMALL));
    Path page = files.resolve("report.html");

    assertThat(jvhost("report", run.toString(), "-o", page.toString())).as(err.toString()).isZero();
    assertThat(jvhost("report", run.toString(), "-o", "-")).isZero();

    assertThat(err.toString()).isEmpty();
    assertThat(Files.readString(page))
        .startsWith("<!DOCTYPE html>")
        .contains("implicit")
        .isEqualTo(out.toString());
  }

  @Test
  void whatWasWrittenAsJson() throws IOException {
    Path run = Files.writeString(files.resolve("run.json"), CommandLines.demoJson(SMALL));
    Path page = files.resolve("report.html");

    assertThat(jvhost("report", run.toString(), "-o", page.toString(), "--json")).isZero();

    assertThat(out.toString())
        .startsWith("{")
        .contains("\"report\" : \"" + page + "\"", "\"bytes\" : " + Files.size(page));
    out.getBuffer().setLength(0);
    assertRefused(2, "standard output is the page's", "report", "x", "-o", "-", "--json");
  }

  @Test
  void aRunIsNotOverwrittenByItsPage() throws IOException {
    Path run = Files.writeString(files.resolve("run.json"), CommandLines.demoJson(SMALL));
    String before = Files.readString(run);

    assertRefused(2, "take the place of the run", "report", run.toString(), "-o", run.toString());
    assertThat(Files.readString(run)).isEqualTo(before);
  }

  /** Its first bytes say what it is, also within what gzip packed. */
  @Test
  void aRecordingBecomesAPageWhateverItsName() throws IOException {
    Path plain = files.resolve("run.json");
    try (FlightRecording recording = FlightRecording.start()) {
      CommandLines.demoJson(SMALL);
      recording.dump(plain);
    }
    Path packed = files.resolve("packed");
    try (var out = new GZIPOutputStream(Files.newOutputStream(packed))) {
      Files.copy(plain, out);
    }
    Path page = files.resolve("report.html");

    for (Path file : List.of(plain, packed)) {
      Files.deleteIfExists(page);
      assertThat(jvhost("report", file.toString(), "-o", page.toString()))
          .as(err.toString())
          .isZero();
      assertThat(Files.readString(page))
          .contains("What back ends were told", "plan PRESET", "plan RUNNING", "SET_MEM_TABLE");
    }
  }

  @Test
  void aRecordingThatCannotBeShownIsRefusedInOneLine() throws IOException {
    Path file = files.resolve("broken.jfr");
    String page = files.resolve("no.html").toString();

    Files.write(file, new byte[0]);
    assertRefused(1, file + ": it is empty", "report", file.toString(), "-o", page);
    Files.write(file, "FLR\0 and no more".getBytes(UTF_8));
    assertRefused(1, file + ": this recording", "report", file.toString(), "-o", page);
    assertThat(Path.of(page)).doesNotExist();
  }

  @Test
  void aGuestBehindAnIommuHasRowsOfItsOwn() throws IOException {
    Path page = files.resolve("demo.html");

    int code = jvhost("demo", "--iommu", "--report=" + page, SMALL[0], SMALL[1], SMALL[2]);

    assertThat(code).as(err.toString()).isZero();
    assertThat(Files.readString(page)).contains("misses in the window", "iotlb.missesAfter");
  }

  @Test
  void aDemoWritesItsPageItself() throws IOException {
    Path page = files.resolve("demo.html");

    int code = jvhost("demo", "--report=" + page, SMALL[0], SMALL[1], SMALL[2]);

    assertThat(code).as(err.toString()).isZero();
    assertThat(out.toString()).as("the table is printed all the same").contains("guest runs on");
    assertThat(Files.readString(page))
        .startsWith("<!DOCTYPE html>")
        .contains("In figures", "Every message");
  }

  @Test
  void aMigrationThatDidNotTakePlaceHasAPageToo() throws IOException {
    Path page = files.resolve("cancelled.html");

    int code =
        jvhost(
            "demo", "--report=" + page, "--fail=cancel-in-iterate", SMALL[0], SMALL[1], SMALL[2]);

    assertThat(code).as(err.toString()).isZero();
    assertThat(Files.readString(page))
        .contains("no downtime: the guest runs on the source", "All messages");
  }

  @Test
  void whatDoesNotWorkIsSaidInOneLine() throws IOException {
    Path page = files.resolve("no.html");
    Path other = Files.writeString(files.resolve("other.json"), "{\"rows\": []}");
    Path binary = Files.write(files.resolve("binary"), new byte[] {(byte) 0xff, 0, 1, 2});

    assertRefused(2, "--output", "report", other.toString());
    assertRefused(
        1, "there is no such file", "report", files + "/none.json", "-o", page.toString());
    assertRefused(1, "runs is missing", "report", other.toString(), "-o", page.toString());
    assertRefused(1, "is no JSON", "report", binary.toString(), "-o", page.toString());
    assertRefused(
        1, "no file can be written", "report", other.toString(), "-o", files + "/none/no.html");
    assertThat(page).doesNotExist();
  }

  @Test
  void aDemoHearsOfABadPlaceBeforeItMigratesAnything() {
    assertRefused(1, "no file can be written", "demo", "--report=" + files + "/none/no.html");
    assertRefused(1, "is no file that can be written", "demo", "--report=" + files);
  }
}
