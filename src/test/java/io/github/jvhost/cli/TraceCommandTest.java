package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.trace.CaptureEvent;
import io.github.jvhost.testkit.trace.CaptureWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What `trace` says of captures that are short, cut off, foreign or long. */
@Timeout(120)
class TraceCommandTest {
  private static final String HEAD =
      "{\"jvhostCapture\":1,\"started\":\"2026-11-27T20:00:00Z\",\"dialect\":\"RFC_2023\"}\n";

  /** GET_FEATURES and its reply, in two sessions. */
  private static final String TWO_SESSIONS =
      HEAD
          + """
          {"ns":1000,"session":1,"event":"connected"}
          {"ns":2000,"held":9,"session":1,"way":"TO_BACK_END","id":1,"flags":1,"size":0,"fds":0}
          {"ns":5000,"held":8,"session":1,"way":"TO_FRONT_END","id":1,"flags":5,"size":8,"fds":0}
          {"ns":6000,"session":1,"event":"ended","why":"it was enough"}
          {"ns":7000,"session":2,"event":"connected"}
          {"ns":8000,"session":2,"event":"ended","why":"it was enough"}
          """;

  @TempDir private Path directory;
  private Path file;

  /** What a command printed. */
  private record Printed(int code, String out, String err) {}

  private Printed trace(String... options) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] args = new String[options.length + 2];
    args[0] = "trace";
    args[1] = file.toString();
    System.arraycopy(options, 0, args, 2, options.length);
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
    return new Printed(code, out.toString(), err.toString());
  }

  @BeforeEach
  void writeTwoSessions() throws IOException {
    file = Files.writeString(directory.resolve("capture"), TWO_SESSIONS);
  }

  @ParameterizedTest
  @CsvSource({
    "2, --session=0, sessions count from 1",
    "2, --session=-1, sessions count from 1",
    "1, --session=3, there are 2 sessions",
    "2, --from=2s --to=1s, --from is later than --to",
  })
  void whatCanShowNothingIsRefused(int code, String options, String why) {
    Printed printed = trace(options.split(" ", -1));

    assertThat(printed.code()).as(printed.err()).isEqualTo(code);
    assertThat(printed.out()).isEmpty();
    assertThat(printed.err().lines()).singleElement().asString().contains(why);
  }

  @Test
  void oneSessionOfTwoIsShown() {
    assertThat(trace("--session=2").out()).contains("session 2").doesNotContain("session 1");
    assertThat(trace("--from=4ms", "--to=4ms").code()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "'', it is empty",
    "'GIF89a', is not that of a capture",
    "'{\"jvhostCapture\":9}', version 9",
  })
  void aFileThatIsNoneSaysWhatItIs(String content, String why) throws IOException {
    Files.writeString(file, content);

    Printed printed = trace();

    assertThat(printed.code()).isEqualTo(1);
    assertThat(printed.err()).startsWith("jvhost: " + file + ": ").contains(why);
  }

  @Test
  void aLastLineThatIsCutOffIsMentioned() throws IOException {
    assertThat(trace().out()).doesNotContain("cut off");
    assertThat(trace("--json").out()).contains("\"cutOff\" : false");
    Files.writeString(file, TWO_SESSIONS + "{\"ns\":90");

    assertThat(trace().out().lines()).filteredOn(line -> line.contains("is cut off")).hasSize(1);
    assertThat(trace("--json").out()).contains("\"cutOff\" : true");
  }

  @Test
  void scriptsAreToldUnitsAndTheCommandLinesWords() {
    assertThat(trace().out().lines().findFirst().orElseThrow()).endsWith("dialect rfc-2023");
    assertThat(trace("--json").out())
        .contains(
            "\"dialect\" : \"rfc-2023\"",
            "\"atMicros\" : 2.0",
            "\"timeMicros\" : ",
            "\"waitingMicros\" : ",
            "\"replyMicros\" : 2.991")
        .doesNotContain("\"at\"", "\"time\"", "\"waiting\"", "\"reply\"");
  }

  @Test
  void filtersLeaveTheCostAlone() {
    String all = trace("--summary").out();

    assertThat(trace("--summary", "--phase=run", "--request=11", "--from=1h").out()).isEqualTo(all);
    assertThat(trace("--phase=NEGOTIATE", "--direction=TO-BACK-END").out().lines())
        .filteredOn(line -> line.contains("fl="))
        .singleElement()
        .asString()
        .contains("-> GET_FEATURES");
  }

  @Test
  void sessionsByTheTenThousandAreShown() throws IOException {
    int sessions = 60_000;
    try (var writer =
        CaptureWriter.begin(
            Files.newBufferedWriter(file), "a", "b", Instant.EPOCH, Dialect.UPSTREAM)) {
      for (int session = 1; session <= sessions; session++) {
        writer.write(new CaptureEvent(session, session, true, ""));
      }
    }

    assertThat(trace().out().lines())
        .filteredOn(line -> line.endsWith(" begins"))
        .hasSize(sessions);
  }
}
