package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said of saved rings that contradict the guest memory of the same stream. */
class RingWarningTest {
  @TempDir private Path directory;

  private static String run(Object... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] words = Arrays.stream(arguments).map(String::valueOf).toArray(String[]::new);
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), words);
    assertThat(err.toString()).isEmpty();
    assertThat(code).isZero();
    return out.toString();
  }

  /** A device whose ring 0 goes on at 79; of the other rings the stream has no page. */
  private Path stream(int used, int available) {
    assertThat(SmallStream.running().queue(0).next()).isEqualTo(79);
    return new SmallStream()
        .ringIndexes(1, 2)
        .ringIndexes(used, available) // a later round
        .device(SmallStream.running())
        .packedAt(directory.resolve("stream.gz"));
  }

  @ParameterizedTest
  @CsvSource({"80, 300", "0, 78", "65000, 100"})
  void aRingThatCannotGoOnThereIsWarnedOf(int used, int available) {
    Path stream = stream(used, available);
    String warning =
        "warning: ring 0 cannot go on at 79: in guest memory the used index is %d and the available"
                .formatted(used)
            + " index %d, of 256 entries".formatted(available);

    assertThat(run("vmstate", "show", stream)).contains(warning);
    assertThat(run("plan", stream)).contains(warning);
    String json = warning.substring("warning: ".length());
    assertThat(run("vmstate", "show", stream, "--json")).contains(json);
    assertThat(run("plan", stream, "--json")).contains(json);
  }

  @ParameterizedTest
  @CsvSource({"79, 79", "79, 300", "0, 100", "65500, 100"})
  void oneThatCanIsNot(int used, int available) {
    Path stream = stream(used, available);

    assertThat(run("vmstate", "show", stream)).doesNotContain("warning");
    assertThat(run("plan", stream)).doesNotContain("warning");
  }

  @Test
  void ofPagesThatAreNotThereNothingIsSaid() {
    Path stream = new SmallStream().device(SmallStream.running()).at(directory.resolve("stream"));

    assertThat(run("vmstate", "show", stream)).doesNotContain("warning");
    assertThat(run("plan", stream)).doesNotContain("warning");
  }
}
