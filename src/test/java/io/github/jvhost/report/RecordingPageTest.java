package io.github.jvhost.report;

import static io.github.jvhost.report.SampleRecording.SECOND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The page of a flight recording as text. {@code -Djvhost.fuzz.cases=N} sets how many times N / 10
 * wrong bytes are read, {@code -Djvhost.fuzz.seed=N} repeats a run.
 */
@Timeout(240)
class RecordingPageTest {
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0f1aL);
  private static final int FUZZ =
      Math.max(100, Integer.getInteger("jvhost.fuzz.cases", 5_000) / 10);
  private static final int SIZE_AT = 8;
  private static final int POOLS_AT = 16;
  private static final int STATE_AT = 64;

  @TempDir private Path files;

  private Path recording(Runnable events) throws IOException {
    return SampleRecording.write(files.resolve("sample.jfr"), events);
  }

  private Path usual() throws IOException {
    return recording(() -> SampleRecording.usual("net0", "/run/vhost0"));
  }

  private static List<String> all(String page, String pattern) {
    return Pattern.compile(pattern).matcher(page).results().map(m -> m.group(1)).toList();
  }

  // ---- what it shows ----

  @Test
  void eachPresetupStartAndMoveHasAPicture() throws IOException {
    String page = ReportPage.ofRecording(usual());

    assertThat(all(page, "<figcaption>([^<]*)<"))
        .containsExactly(
            "1. presetup: 3.000\u00a0ms",
            "2. start: 1.000\u00a0ms",
            "3. move: 1.200\u00a0ms",
            "4. move: 0.000\u00a0ms",
            "5. plan STOPPED: 0.050\u00a0ms");
    assertThat(all(page, "aria-label=\"(net0, [^\"]*)\\. The table"))
        .as("with what lies in it and a little around it")
        .containsExactly(
            "net0, 1. presetup, 3.300\u00a0ms; back end of net0 1 message",
            "net0, 2. start, 1.100\u00a0ms; back end of net0 2 messages",
            "net0, 3. move, 1.320\u00a0ms; back end of net0 2 messages",
            "net0, 4. move, 0.040\u00a0ms; back end of net0 0 messages",
            "net0, 5. plan STOPPED, 0.090\u00a0ms; back end of net0 1 message");
    assertThat(page)
        .as("what a move consists of")
        .contains("plan STOPPED <b>0.490\u00a0ms</b>", "plan RUNNING <b>0.300\u00a0ms</b>")
        .contains("It failed: /run/vhost0", "/run/vhost0, 3 messages; recorded at 20");
  }

  @Test
  void everyMessageHasARowThatSaysWhereItBelongsAndWhenItWasAnswered() throws IOException {
    String page = ReportPage.ofRecording(usual());

    List<String> rows =
        all(page, "(?s)<tr class=\"message[^>]*>(.*?)</tr>").stream()
            .map(row -> row.replaceAll("<[^>]*>", "|").replaceAll("\\|+", "|"))
            .toList();
    assertThat(rows)
        .containsExactly(
            "|0.100|1. presetup|back end of net0|SET_MEM_TABLE|20 bytes, answered after 2.800"
                + " ms|yes|",
            "|1000.020|2. start|back end of net0|SET_VRING_KICK|20 bytes|",
            "|1000.020|2. start|back end of net0|GET_STATUS|20 bytes, answered after 0.980 ms|yes|",
            "|2000.020|3. move|back end of net0|GET_VRING_BASE|20 bytes, answered after 0.480"
                + " ms|yes|",
            "|2000.610|3. move|back end of net0|SET_VRING_BASE|20 bytes|",
            "|4000.001|5. plan STOPPED|back end of net0|GET_VRING_BASE|20 bytes|");
  }

  @Test
  void anAnswerThatNeverCameIsNotThatOfTheNextConnection() throws IOException {
    Path file =
        recording(() -> {
          SampleRecording.told("net0", "GET_VRING_BASE", false, SECOND);
          SampleRecording.told("net0", "SET_OWNER", false, 2 * SECOND);
          SampleRecording.told("net0", "GET_VRING_BASE", false, 3 * SECOND);
          SampleRecording.answered("net0", "GET_VRING_BASE", 3 * SECOND + 7_000_000);
        });

    assertThat(all(ReportPage.ofRecording(file), "answered after ([0-9.]+) ms"))
        .as("in the table, and what is said of a block in the picture")
        .containsOnly("7.000");
  }

  @Test
  void eachDeviceHasItsOwn() throws IOException {
    Path file =
        recording(() -> {
          SampleRecording.usual("net1", "/run/vhost1");
          SampleRecording.usual("net0", "/run/vhost0");
        });

    assertThat(all(ReportPage.ofRecording(file), "<h2[^>]*>([^<]*)<"))
        .containsExactly("net0", "net1");
  }

  @Test
  void thePageNeedsNothingElseAndNamesNoFile() throws IOException {
    Path file = usual();

    assertThat(ReportPage.ofRecording(file))
        .doesNotContain("src=", "href=", "http://", "https://", "url(", "@import", "<script")
        .doesNotContain(files.toString(), System.getProperty("user.name") + "@")
        .contains("default-src &#39;none&#39;");
  }

  @Test
  void whatARecordingSaysIsTextInThePageAndNothingElse() throws IOException {
    String odd = "</text><script>alert(1)</script>\"'&\u202egnp\u0007 net";
    String page = ReportPage.ofRecording(recording(() -> SampleRecording.usual(odd, odd)));

    assertThat(page)
        .doesNotContain("<script", "\u202e", "\u0007")
        .contains("&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
    assertThat(all(page, "(</?[a-z0-9]+)"))
        .isEqualTo(all(ReportPage.ofRecording(usual()), "(</?[a-z0-9]+)"));
  }

  // ---- what is too much ----

  @Test
  void onlyTheNewestOfVeryManyMessagesAreShown() throws IOException {
    Path file =
        recording(() -> {
          for (int i = 0; i < 45_000; i++) {
            SampleRecording.told("net0", "SEND_RARP", false, SECOND + i);
          }
        });

    String page = ReportPage.ofRecording(file);

    assertThat(page).contains("Left out: 25000 older ones", "with its size: 20000");
    assertThat(page.length()).isLessThan(20 << 20);
  }

  @Test
  void aLongTextIsCutShort() throws IOException {
    String page =
        ReportPage.ofRecording(recording(() -> SampleRecording.usual("n".repeat(100_000), "x")));

    assertThat(page.length()).isLessThan(100_000);
    assertThat(page).contains("n".repeat(300) + "\u2026");
  }

  @Test
  void spansThatAllOverlapAreRefused() throws IOException {
    Path file =
        recording(() -> {
          for (int i = 0; i < 400; i++) {
            SampleRecording.told("net0", "SEND_RARP", false, SECOND + i);
            SampleRecording.planned("net0", "RUNNING", SECOND - i, SECOND + i);
          }
        });

    assertRefused(file, "overlap as those of no program do");
  }

  @ParameterizedTest
  @ValueSource(longs = {Long.MAX_VALUE, 20L * 366 * 86_400 * SECOND, -20L * 366 * 86_400 * SECOND})
  void timesThatNoMachineHasAreRefused(long far) throws IOException {
    Path file =
        recording(() -> {
          SampleRecording.told("net0", "GET_FEATURES", false, 0);
          SampleRecording.told("net0", "GET_FEATURES", false, far);
        });

    assertRefused(file, "do not belong together");
  }

  /** The clock may begin anywhere. */
  @Test
  void timesMayPassTheLargestNumber() throws IOException {
    Path file =
        recording(() -> {
          SampleRecording.told("net0", "GET_FEATURES", false, Long.MAX_VALUE);
          SampleRecording.answered("net0", "GET_FEATURES", Long.MIN_VALUE + 999_999);
        });

    assertThat(ReportPage.ofRecording(file)).contains("answered after 1.000 ms");
  }

  // ---- what is no recording ----

  private static void assertRefused(Path file, String says) {
    assertThatThrownBy(() -> ReportPage.ofRecording(file))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(says)
        .message()
        .hasLineCount(1);
  }

  @Test
  void aRecordingOfSomethingElseSaysHowToRecord() throws IOException {
    assertRefused(recording(() -> {}), "-XX:StartFlightRecording");
  }

  @Test
  void oneThatIsStillWrittenSaysHowToGetOneThatIsNot() throws IOException {
    byte[] bytes = Files.readAllBytes(usual());
    bytes[STATE_AT] = 1;

    assertRefused(Files.write(files.resolve("unfinished"), bytes), "jcmd PID JFR.dump");
  }

  @Test
  void oneThatWasCutOffSaysSo() throws IOException {
    byte[] bytes = Files.readAllBytes(usual());

    assertRefused(
        Files.write(files.resolve("cut"), Arrays.copyOf(bytes, bytes.length - 1)), "was cut off");
    assertRefused(Files.write(files.resolve("head"), Arrays.copyOf(bytes, 40)), "cannot be read");
  }

  /** The JDK's reader would go round in these for ever, or wait for somebody to go on writing. */
  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE, 67})
  void sizesThatLeadBackAreRefused(long size) throws IOException {
    byte[] bytes = Files.readAllBytes(usual());
    for (int at : new int[] {SIZE_AT, POOLS_AT, POOLS_AT + 8}) {
      byte[] wrong = bytes.clone();
      ByteBuffer.wrap(wrong).putLong(at, size);

      assertRefused(Files.write(files.resolve("back"), wrong), "");
    }
    // An event of the size -1, in nine bytes.
    Arrays.fill(bytes, 68, 77, (byte) 0xff);
    assertRefused(Files.write(files.resolve("back"), bytes), "an event has no size at byte 68");
  }

  @Test
  void whateverTheBytesAreItIsAPageOrAMessageOfOneLine() throws IOException {
    byte[] good = Files.readAllBytes(usual());
    var random = new SplittableRandom(SEED);
    int pages = 0;
    for (int i = 0; i < FUZZ; i++) {
      byte[] bytes = mutated(good, random);
      Path file = Files.write(files.resolve("fuzzed"), bytes);
      try {
        assertThat(ReportPage.ofRecording(file)).endsWith("</html>\n");
        pages++;
      } catch (VhostException e) {
        assertThat(e.getMessage()).as("seed %x round %d", SEED, i).hasLineCount(1);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("seed %x round %d".formatted(SEED, i), e);
      }
    }
    assertThat(pages).as("some bytes mean nothing").isBetween(1, FUZZ - 1);
  }

  private static byte[] mutated(byte[] good, SplittableRandom random) {
    if (random.nextInt(10) == 0) {
      return Arrays.copyOf(good, random.nextInt(good.length));
    }
    byte[] bytes = good.clone();
    for (int n = random.nextInt(1, 5); n > 0; n--) {
      int at =
          random.nextBoolean()
              ? random.nextInt(bytes.length)
              : bytes.length - 1 - random.nextInt(Math.min(bytes.length, 4_000));
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] = (byte) random.nextInt();
        case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 2 ->
            Arrays.fill(
                bytes,
                at,
                Math.min(bytes.length, at + random.nextInt(1, 12)),
                (byte) random.nextInt());
        default -> {
          int length = Math.min(random.nextInt(1, 64), bytes.length - at);
          System.arraycopy(good, random.nextInt(good.length - length), bytes, at, length);
        }
      }
    }
    return bytes;
  }
}
