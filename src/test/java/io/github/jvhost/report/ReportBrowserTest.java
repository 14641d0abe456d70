package io.github.jvhost.report;

import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.jvhost.cli.CommandLines;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page of a real demo, looked at in a real browser. */
@Timeout(300)
class ReportBrowserTest {
  private static final int LIGHT_PAGE = 0xFFFFFF;
  private static final int DARK_PAGE = 0x0D1117;

  @TempDir private static Path files;
  private static Browser browser;

  /** What the demo printed, by its place: "runs[0].stopWindow.messages". */
  private static Map<String, String> json;

  private static String page;

  @BeforeAll
  static void runADemo() throws IOException {
    Optional<Path> program = Browser.find();
    assumeTrue(program.isPresent(), "no chromium here: apt-get install chromium");
    browser = new Browser(program.orElseThrow(), files);
    String printed = CommandLines.demoJson("--memory=32M", "--presetup=off,explicit,implicit");
    json = parse(printed);
    page = ReportPage.of("run.json", new StringReader(printed));
  }

  private static Map<String, String> parse(String text) throws IOException {
    Map<String, String> values = new HashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(text)) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token.isScalarValue()) {
          String pointer = parser.getParsingContext().pathAsPointer().toString();
          String place = pointer.replaceAll("/(\\d+)", "[$1]").replace('/', '.').substring(1);
          values.put(place, parser.getText());
        }
      }
    }
    return values;
  }

  private static <V> V of(Map<String, V> map, String key) {
    return Objects.requireNonNull(map.get(key), key);
  }

  /** Members of an array of objects in the JSON, as far as they go. */
  private static List<Map<String, String>> elements(String array, String... members) {
    List<Map<String, String>> all = new ArrayList<>();
    while (json.containsKey(array + "[" + all.size() + "]." + members[0])) {
      Map<String, String> one = new HashMap<>();
      for (String member : members) {
        one.put(member, of(json, array + "[" + all.size() + "]." + member));
      }
      all.add(one);
    }
    return all;
  }

  private static Probe probe(int width, boolean dark) throws IOException {
    Path copy = Probe.into(page, width, files.resolve("probed.html"));
    Browser.Look look = browser.look(copy, width, dark);
    assertThat(look.console()).isEmpty();
    return Probe.of(look.dom());
  }

  // ---- it says what the JSON says ----

  @Test
  void theNumbersAreTheJsons() throws IOException {
    Probe probe = probe(1_600, false);
    Set<String> shown = new HashSet<>();
    for (List<String> data : probe.of(Probe.Kind.DATA)) {
      String place = data.get(0);
      String value = json.get(place);
      assertThat(value).as(place).isNotNull();
      assertThat(data.get(1)).as(place).isEqualTo(value);
      boolean time = place.endsWith("Micros") || place.contains(".phases.");
      String text =
          time ? BigDecimal.valueOf(Long.parseLong(value), 3).toPlainString() + " ms" : value;
      assertThat(data.get(3)).as(place).isEqualTo(text);
      assertThat(data.get(2)).as(place + " can be seen").isEqualTo("true");
      shown.add(place);
    }
    for (String member :
        List.of(
            "phases.downtime",
            "phases.destination.presetup",
            "stopWindow.sourceMicros",
            "stopWindow.destinationMicros",
            "stopWindow.messages",
            "stopWindow.waits",
            "stopWindow.sourceMessages",
            "stopWindow.sourceWaits",
            "backEndConfigMicros",
            "ram.totalPages",
            "ram.finalRoundPages",
            "ping.sent",
            "ping.answered",
            "ping.inboundSent",
            "ping.inboundAnswered",
            "ping.droppedByBackEnd",
            "ping.lost",
            "ping.longestGapMicros",
            "ping.inboundLongestGapMicros")) {
      assertThat(shown).contains("runs[0]." + member, "runs[1]." + member, "runs[2]." + member);
    }
  }

  /** A message as a row of the table must have it. */
  private record Told(long nanos, List<String> cells) {}

  @Test
  void everyMessageHasARowAndABlock() throws IOException {
    Probe probe = probe(1_600, false);
    var rows = probe.of(Probe.Kind.MESSAGE).stream().collect(groupingBy(List::getFirst));
    var charts = probe.of(Probe.Kind.CHART).stream().collect(groupingBy(List::getFirst));
    for (int run = 0; run < 3; run++) {
      List<Told> told = told("runs[" + run + "].timeLine");
      assertThat(told).hasSizeGreaterThan(40);
      assertThat(of(rows, "run-" + run).stream().map(row -> row.subList(1, row.size())))
          .containsExactlyElementsOf(told.stream().map(Told::cells).toList());
      // One picture for what came before the pause, one for the window; what came later is in none.
      List<List<String>> pictures = of(charts, "run-" + run);
      assertThat(pictures).hasSize(2);
      assertBlocks(pictures.get(0), told, "before");
      assertBlocks(pictures.get(1), told, "stop window");
    }
  }

  private static void assertBlocks(List<String> picture, List<Told> told, String when) {
    String expected = "" + told.stream().filter(t -> t.cells().get(1).equals(when)).count();
    assertThat(picture.get(1)).as(when).isEqualTo(expected);
    assertThat(picture.get(2)).as("wider than a pixel").isEqualTo(expected);
  }

  private static List<Told> told(String line) {
    Map<String, Long> moments = new HashMap<>();
    for (Map<String, String> moment : elements(line + ".moments", "name", "nanos")) {
      moments.put(of(moment, "name"), Long.parseLong(of(moment, "nanos")));
    }
    List<Told> told = new ArrayList<>();
    for (int lane = 0; lane < 4; lane++) {
      String place = line + ".lanes[" + lane + "]";
      String name = json.get(place + ".side") + " " + json.get(place + ".device");
      for (Map<String, String> m :
          elements(place + ".messages", "nanos", "name", "payload", "descriptors", "answered")) {
        long nanos = Long.parseLong(of(m, "nanos"));
        String when =
            nanos < of(moments, "pausing")
                ? "before"
                : nanos > of(moments, "resumed") ? "after" : "stop window";
        String millis =
            BigDecimal.valueOf(nanos - of(moments, "pausing"), 6)
                .setScale(3, RoundingMode.HALF_UP)
                .toPlainString();
        told.add(
            new Told(
                nanos,
                List.of(
                    millis,
                    when,
                    name,
                    of(m, "name"),
                    of(m, "payload"),
                    of(m, "descriptors").equals("0") ? "" : of(m, "descriptors"),
                    of(m, "answered").equals("true") ? "yes" : "")));
      }
    }
    told.sort(Comparator.comparingLong(Told::nanos));
    return told;
  }

  @Test
  void everyStepHasARowWithItsReason() throws IOException {
    Probe probe = probe(1_600, false);
    var rows = probe.of(Probe.Kind.STEP).stream().collect(groupingBy(List::getFirst));
    for (int run = 0; run < 3; run++) {
      var steps = elements("runs[" + run + "].plan", "device", "field", "from", "to", "reason");
      assertThat(steps).isNotEmpty();
      assertThat(of(rows, "run-" + run).stream().map(row -> row.subList(1, row.size())))
          .containsExactlyElementsOf(
              steps.stream()
                  .map(s ->
                      List.of(
                          of(s, "device"),
                          of(s, "field"),
                          orDash(of(s, "from")),
                          orDash(of(s, "to")),
                          of(s, "reason")))
                  .toList());
    }
  }

  private static String orDash(String value) {
    return value.equals("null") ? "\u2013" : value;
  }

  // ---- it can be read ----

  @ParameterizedTest
  @CsvSource({"400,false", "400,true", "1600,false", "1600,true"})
  void itFitsAndCanBeRead(int width, boolean dark) throws IOException {
    Probe probe = probe(width, dark);

    assertThat(probe.one(Probe.Kind.WIDTH)).as("nothing is wider").containsOnly("" + width);
    assertThat(probe.one(Probe.Kind.UNFOLDED)).as("nor when unfolded").containsOnly("" + width);
    assertThat(probe.of(Probe.Kind.CLASH)).as("words on words").isEmpty();
    assertThat(probe.one(Probe.Kind.PAGE))
        .containsExactly(dark ? "rgb(13, 17, 23)" : "rgb(255, 255, 255)");
    List<List<String>> words = probe.of(Probe.Kind.CONTRAST);
    assertThat(words).hasSizeGreaterThan(500);
    assertThat(words)
        .as("WCAG 2.1, 1.4.3: contrast of 4.5 at least")
        .allSatisfy(
            word -> assertThat(Double.parseDouble(word.get(0))).isGreaterThanOrEqualTo(4.5));
    assertThat(probe.of(Probe.Kind.ALTERNATIVE))
        .as("pictures have words for those who do not see them")
        .hasSize(9)
        .allSatisfy(a -> assertThat(a.get(0)).isEqualTo("img"))
        .allSatisfy(a -> assertThat(a.get(1)).contains(" ms"));
  }

  @ParameterizedTest
  @CsvSource({"400,false", "400,true", "1600,false", "1600,true"})
  void itIsPaintedWithoutAWordOnTheConsole(int width, boolean dark) throws IOException {
    Path file = Files.writeString(files.resolve("page.html"), page);
    assertThat(browser.look(file, width, dark).console()).isEmpty();

    BufferedImage picture = ImageIO.read(browser.picture(file, width, dark).toFile());

    assertThat(picture.getWidth()).isEqualTo(width);
    assertThat(picture.getRGB(2, 2) & 0xFFFFFF).isEqualTo(dark ? DARK_PAGE : LIGHT_PAGE);
    Set<Integer> colors = new HashSet<>();
    for (int y = 0; y < picture.getHeight(); y++) {
      for (int x = 0; x < picture.getWidth(); x++) {
        colors.add(picture.getRGB(x, y) & 0xFFFFFF);
      }
    }
    assertThat(colors).as("the bars").contains(dark ? 0xF0883E : 0xD4660A);
  }

  @ParameterizedTest
  @CsvSource({"400,false", "400,true", "1600,false", "1600,true"})
  void thePageOfARecordingCanBeReadToo(int width, boolean dark) throws IOException {
    Path recording =
        SampleRecording.write(
            files.resolve("recording"), () -> SampleRecording.usual("net0", "/run/vhost0"));
    String text = ReportPage.ofRecording(recording);
    Browser.Look look =
        browser.look(Probe.into(text, width, files.resolve("recorded.html")), width, dark);
    Probe probe = Probe.of(look.dom());

    assertThat(look.console()).isEmpty();
    assertThat(probe.one(Probe.Kind.WIDTH)).containsOnly("" + width);
    assertThat(probe.one(Probe.Kind.UNFOLDED)).containsOnly("" + width);
    assertThat(probe.of(Probe.Kind.CLASH)).as("words on words").isEmpty();
    assertThat(probe.of(Probe.Kind.CONTRAST))
        .hasSizeGreaterThan(80)
        .allSatisfy(
            word -> assertThat(Double.parseDouble(word.get(0))).isGreaterThanOrEqualTo(4.5));
    assertThat(probe.of(Probe.Kind.CHART))
        .as("each block is wider than a pixel")
        .extracting(chart -> chart.get(1), chart -> chart.get(2))
        .containsExactly(
            tuple("1", "1"), tuple("2", "2"), tuple("2", "2"), tuple("0", "0"), tuple("1", "1"));
    Path file = Files.writeString(files.resolve("recording.html"), text);
    assertThat(browser.look(file, width, dark).console()).as("with its policy").isEmpty();
  }

  /**
   * The axis counts down to the pause, so how long the time before it was decides where ticks are.
   */
  @Test
  void theNumbersOfAnAxisStayInThePicture() throws IOException {
    for (int millis : new int[] {51, 53, 105, 108, 516, 1_032, 1_055, 1_110, 10_560, 105_600}) {
      String run = RunText.of("net0").replace("-100,", 5_000_000L - millis * 1_000_000L + ",");
      String axis = ReportPage.of("run.json", new StringReader(run));
      Path probed = Probe.into(axis, 400, files.resolve("axis.html"));

      Probe probe = Probe.of(browser.look(probed, 400, false).dom());

      assertThat(probe.of(Probe.Kind.CLASH)).as(millis + " ms before the pause").isEmpty();
    }
  }

  // ---- it trusts nobody ----

  @Test
  void whatAFileSmugglesInIsShownAndNotDone() throws IOException {
    String odd = ReportPage.of("odd.json", new StringReader(RunText.of(RunText.ODD)));
    Path file = Files.writeString(files.resolve("odd.html"), odd);

    Browser.Look look = browser.look(file, 400, false);

    assertThat(look.console()).isEmpty();
    assertThat(look.dom()).doesNotContain("<script").contains("&lt;script&gt;alert(1)");
    Browser.Look probed =
        browser.look(Probe.into(odd, 400, files.resolve("oddly.html")), 400, false);
    assertThat(Probe.of(probed.dom()).one(Probe.Kind.UNFOLDED)).containsOnly("400");
    assertThat(Probe.of(probed.dom()).of(Probe.Kind.CLASH)).isEmpty();
  }

  /** And this test would hear of it: the page's policy forbids what got in, and says so. */
  @Test
  void aScriptWouldNotRunAndWouldBeHeardOf() throws IOException {
    String script = "<script>document.body.textContent = 'taken over'</script></body>";
    Path file = Files.writeString(files.resolve("bad.html"), page.replace("</body>", script));

    Browser.Look look = browser.look(file, 400, false);

    assertThat(look.console()).singleElement().asString().contains("Content Security Policy");
    assertThat(look.dom()).contains("What a migration costs");
  }
}
