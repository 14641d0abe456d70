package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.jvhost.testkit.dpdk.Testpmd;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command as people and scripts see it. */
@Timeout(60)
class DemoCommandTest {
  @TempDir private Path files;

  /** What a command printed, and its exit code. */
  private record Ran(int code, String out, String err) {
    static Ran of(String... args) {
      var out = new StringWriter();
      var err = new StringWriter();
      int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
      return new Ran(code, out.toString(), err.toString());
    }

    /** It did not work, and said why in one line. */
    void assertRefused(int expectedCode, String says) {
      assertThat(code).as(err).isEqualTo(expectedCode);
      assertThat(out).isEmpty();
      assertThat(err.lines()).singleElement().asString().startsWith("jvhost: ").contains(says);
    }
  }

  private static final String[] SMALL = {"demo", "--memory=32M", "--hardware-model=none"};

  private static Ran small(String... more) {
    return Ran.of(Stream.concat(Stream.of(SMALL), Stream.of(more)).toArray(String[]::new));
  }

  // ---- what cannot be done ----

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--presetup=sometimes | 'sometimes' is none of off, off-pipelined, explicit, implicit",
        "--presetup=off,never | 'never' is none of",
        "--back-end=vpp | --back-end: 'vpp' is none of mock, dpdk",
        "--personality=grumpy | --personality: 'grumpy' is none of generic, dpdk",
        "--profile=low | --profile: 'low' is none of generic, dpdk",
        "--change=mind | --change: 'mind' is none of none, queue-pairs, mtu, mac, memory, reset",
        "--fail=safe | --fail: 'safe' is none of none, presetup-refused",
        "--memory=plenty | 'plenty' is no size",
        "--memory=-64M | '-64M' is no size",
        "--memory=0 | '0' is no size",
        "--memory=99999999999G | is no size",
        "--devices=two | 'two' is no number",
        "--devices=99999999999 | '99999999999' is no number, or out of range",
        "--queue-pairs= | --queue-pairs",
        "--frobnicate | --frobnicate",
        "surplus | surplus",
      })
  void whatNobodyKnowsIsACommandLineError(String argument, String says) {
    Ran.of("demo", argument).assertRefused(2, says);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--devices=0 | devices: 1 to 16, not 0",
        "--devices=17 | devices: 1 to 16, not 17",
        "--queue-pairs=9 | queue pairs: 1 to 8, not 9",
        "--memory=1M | memory in bytes: whole MiB, 16 of them at least",
        "--memory=16777217 | memory in bytes: whole MiB, 16 of them at least",
      })
  void noSuchScenarioIsACommandLineErrorToo(String argument, String says) {
    Ran.of("demo", argument).assertRefused(2, says);
  }

  @Test
  void aHardwareModelThatIsNowhere() {
    Ran.of("demo", "--hardware-model=/nowhere/at-all")
        .assertRefused(1, "reading the hardware model /nowhere/at-all");
  }

  @Test
  void whatIsKnownOfDpdkDoesNotHoldOfOthers() {
    Ran.of("demo", "--profile=dpdk", "--personality=rust-vmm")
        .assertRefused(2, "only holds for a back end that is one");
    Ran.of("demo", "--presetup=implicit-dpdk", "--personality=generic")
        .assertRefused(2, "only holds for a back end that is one");
  }

  @ParameterizedTest
  @ValueSource(strings = {"libvhost-user", "rust-vmm", "crosvm", "vpp"})
  void aBackEndWithoutIommuSupportIsNotShownBehindOne(String who) {
    Ran.of("demo", "--iommu", "--personality=" + who)
        .assertRefused(2, who + " has no IOMMU support");
  }

  @Test
  void whatARealDpdkCannotDo() {
    Ran.of("demo", "--back-end=dpdk", "--fail=presetup-late")
        .assertRefused(2, "scripted failures are the mock's");
    Ran.of("demo", "--back-end=dpdk", "--change=queue-pairs")
        .assertRefused(2, "a change of queue pairs needs two of them");
  }

  @Test
  void anotherTestpmdIsAskedWhetherItHasPresetupAndIsRun() throws IOException {
    assumeTrue(Testpmd.available().isEmpty(), "dpdk-testpmd is not installed");
    Path starts = files.resolve("starts");
    Path other =
        Files.writeString(
            files.resolve("other-testpmd"),
            "#!/bin/sh\necho started >> '%s'\nexec dpdk-testpmd \"$@\"\n".formatted(starts));
    assertThat(other.toFile().setExecutable(true)).isTrue();

    Ran.of("demo", "--back-end=dpdk", "--testpmd=" + other, "--presetup=explicit")
        .assertRefused(1, "does not offer PRESETUP (protocol feature bit 18)");
    assertThat(starts).hasContent("started");

    Ran ran = small("--back-end=dpdk", "--testpmd=" + other, "--presetup=implicit");
    assertThat(ran.code()).as(ran.err()).isZero();
    assertThat(starts).hasContent("started\nstarted");
  }

  @Test
  void aTestpmdThatIsNone() {
    Ran.of("demo", "--testpmd=/usr/bin/dpdk-testpmd").assertRefused(2, "--back-end=dpdk only");
    Ran.of("demo", "--back-end=dpdk", "--testpmd=" + files)
        .assertRefused(1, "--testpmd: " + files + " is no program that can be run");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"modelled.fixed-ms=much", "modelled.fixed-ms=-1", "fixed=1", "x\\u00zz=1"})
  void aHardwareModelThatIsNone(String text) throws IOException {
    Path file = Files.writeString(files.resolve("model.properties"), text);

    Ran.of("demo", "--hardware-model=" + file).assertRefused(1, "reading the hardware model");
  }

  @Test
  void aHardwareModelThatIsNoText() throws IOException {
    Path file = Files.write(files.resolve("model"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});

    Ran.of("demo", "--hardware-model=" + file).assertRefused(1, "reading the hardware model");
    Ran.of("demo", "--hardware-model=" + files).assertRefused(1, "reading the hardware model");
  }

  @Test
  void aGuestThatDoesNotFitIsRefusedBeforeItIsMade() {
    Ran.of("demo", "--memory=8000000G").assertRefused(1, "source and destination would take");
  }

  @Test
  void anErrorIsOneLineWhateverIsInAName() {
    Ran.of("report", "a\nb\u001b[2J", "-o", "x").assertRefused(1, "a?b?[2J: there is no such file");
  }

  @Test
  void nothingToDo() {
    Ran.of()
        .assertRefused(
            2,
            "Say what to do: bench, completion, demo, keep, mediate, mock-back-end, plan, probe,"
                + " proxy, report, trace, vmstate");
    Ran.of("fly").assertRefused(2, "there is no command 'fly'");
    Ran.of("prob", "x").assertRefused(2, "there is no command 'prob', but probe");
    Ran.of("vmstate", "sho").assertRefused(2, "there is no command 'sho', but show");
  }

  @Test
  void help() {
    Ran ran = Ran.of("demo", "--help");

    assertThat(ran.code()).isZero();
    assertThat(ran.out())
        .contains("--devices", "--queue-pairs", "--memory", "--presetup", "--profile")
        .contains(
            "--hardware-model",
            "--back-end",
            "--testpmd",
            "--personality",
            "--change",
            "--fail",
            "--json");
  }

  // ---- what can ----

  @Test
  void theTableHasAColumnForEachWay() {
    Ran ran = small();

    assertThat(ran.code()).as(ran.err()).isZero();
    assertThat(ran.out())
        .containsPattern("off +off-pipelined +explicit +implicit")
        .contains("messages in the window", "waits for a back end", "modelled", "longest gap")
        .contains("times shorter than off ", "times shorter than off-pipelined")
        .doesNotContain("DAMAGED")
        .doesNotContain(" NO");
    assertThat(ran.err()).as("progress is for terminals").isEmpty();
  }

  @Test
  void theJsonHasEveryFieldByItsName() throws IOException {
    Ran ran = small("--json", "--presetup=off,explicit");
    assertThat(ran.code()).as(ran.err()).isZero();
    Map<String, List<String>> values = parse(ran.out());

    assertThat(values.get("runs.presetup")).containsExactly("off", "explicit");
    assertThat(values.get("runs.devices")).containsExactly("2", "2");
    assertThat(values.get("runs.queuePairs")).containsExactly("1", "1");
    assertThat(values.get("runs.stopWindow.messages")).element(1).isEqualTo("8");
    assertThat(values.get("runs.stopWindow.waits")).element(1).isEqualTo("2");
    assertThat(values.get("runs.ram.totalPages")).containsExactly("8192", "8192");
    assertThat(values.get("runs.ram.checksumOk")).containsExactly("true", "true");
    assertThat(values.get("runs.ping.lost")).containsExactly("0", "0");
    assertThat(values.get("runs.ping.recovered")).containsExactly("true", "true");
    assertThat(values.get("runs.fallback")).containsExactly("null", "null");
    assertThat(values)
        .containsKeys(
            "runs.stopWindow.sourceMicros",
            "runs.stopWindow.destinationMicros",
            "runs.backEndConfigMicros",
            "runs.ram.finalRoundPages",
            "runs.ping.sent",
            "runs.ping.answered",
            "runs.ping.droppedByBackEnd",
            "runs.ping.longestGapMicros",
            "runs.ping.inboundLongestGapMicros",
            "runs.plan.device",
            "runs.plan.field",
            "runs.plan.from",
            "runs.plan.to",
            "runs.plan.reason");
  }

  @Test
  void behindAnIommuTheJsonSaysWhatWasToldAndAskedFor() throws IOException {
    Ran ran = small("--json", "--iommu", "--devices=1", "--presetup=off,explicit");
    assertThat(ran.code()).as(ran.err()).isZero();
    Map<String, List<String>> values = parse(ran.out());

    assertThat(values.get("runs.iotlb.toldEarly"))
        .as("128 pages of buffers, three rings, and the commands")
        .containsExactly("0", "132");
    assertThat(values.get("runs.iotlb.toldInWindow")).element(1).isEqualTo("0");
    assertThat(values.get("runs.iotlb.missesInWindow")).element(1).isEqualTo("0");
    assertThat(values.get("runs.iotlb.missesAfter"))
        .satisfiesExactly(
            off -> assertThat(off).isNotEqualTo("0"), preset -> assertThat(preset).isEqualTo("0"));
    assertThat(values.get("runs.iotlb.framesLost")).element(1).isEqualTo("0");
    assertThat(values.get("runs.iotlb.widened")).element(1).isEqualTo("64");
  }

  @Test
  void behindAnIommuTheTableSaysSo() {
    assertThat(small("--iommu", "--presetup=explicit").out())
        .containsPattern("translations told: early, in window +264, 0")
        .containsPattern("misses: in window, after it +0, 0");
  }

  @Test
  void theJsonSaysWhyItWasNotDoneAsAsked() throws IOException {
    Ran ran = small("--json", "--presetup=implicit", "--fail=cancel-in-iterate");
    assertThat(ran.code()).as(ran.err()).isZero();
    Map<String, List<String>> values = parse(ran.out());

    assertThat(values.get("runs.fallback"))
        .singleElement()
        .asString()
        .contains("cancelled", "the guest runs on, on the source");
    assertThat(values.get("runs.plan")).isNull();
  }

  /** Every value by the names that lead to it, in order. */
  static Map<String, List<String>> parse(String json) throws IOException {
    Map<String, List<String>> values = new LinkedHashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token.isScalarValue()) {
          String name = parser.getParsingContext().pathAsPointer().toString();
          String path = name.replaceAll("/\\d+", "").substring(1).replace('/', '.');
          values.computeIfAbsent(path, _ -> new ArrayList<>()).add(parser.getText());
        }
      }
    }
    return values;
  }
}
