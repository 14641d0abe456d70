package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** What people learn of the commands before they use one: their help, and what a shell offers. */
@Timeout(60)
class CommandHelpTest {
  @TempDir private Path files;

  /** All commands that do something, with the words that lead to them. */
  static Stream<List<String>> commands() {
    return leaves(new CommandLine(new Jvhost()), List.of());
  }

  private static Stream<List<String>> leaves(CommandLine command, List<String> words) {
    if (command.getSubcommands().isEmpty()) {
      return Stream.of(words);
    }
    Stream<List<String>> itself =
        command.getCommand() instanceof Callable<?> ? Stream.of(words) : Stream.of();
    return Stream.concat(
        itself,
        command.getSubcommands().entrySet().stream()
            .flatMap(entry ->
                leaves(
                    entry.getValue(),
                    Stream.concat(words.stream(), Stream.of(entry.getKey())).toList())));
  }

  private static String printed(String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
    assertThat(code).as(err.toString()).isZero();
    return out.toString();
  }

  @ParameterizedTest
  @MethodSource("commands")
  void eachCommandSaysHowItEndsAndCanSpeakJson(List<String> words) {
    String help =
        printed(Stream.concat(words.stream(), Stream.of("--help")).toArray(String[]::new));

    assertThat(help)
        .containsPattern("Exit codes:\n  0   .+")
        .containsPattern("\n  2   the command line is wrong")
        .doesNotContain("\u001b");
    assertThat(help.contains("--json"))
        .as("what it says can be read by programs")
        .isEqualTo(!words.equals(List.of("completion")));
  }

  @Test
  void theListOfCommandsHasWholeSentences() {
    String list = printed("--help");

    for (List<String> words : commands().toList()) {
      assertThat(list).contains("\n  " + words.getFirst() + " ");
    }
    String[] entries = list.substring(list.indexOf("Commands:")).split("\n  (?=[a-z])", -1);
    assertThat(Arrays.stream(entries).skip(1))
        .hasSizeGreaterThan(8)
        .allMatch(entry -> entry.split("\n\n", -1)[0].strip().endsWith("."));
  }

  @ParameterizedTest
  @CsvSource({
    "'', probe",
    "pro, proxy",
    "mock-back-end --p, --personality",
    "mock-back-end --personality '', libvhost-user",
    "mock-back-end --personality=, libvhost-user",
    "mock-back-end --personality=lib, libvhost-user",
    "mock-back-end --dialect=, rfc-2023",
    "trace --request=set-mem, set-mem-table",
    "demo --fail=cancel, cancel-after-stop",
    "mediate st, standby",
    "mediate --profile=, dpdk",
    "vmstate r, roundtrip"
  })
  void aShellOffersWhatFits(String typed, String offered) throws Exception {
    Path script = Files.writeString(files.resolve("completion"), printed("completion"));
    // As bash splits them: an equals sign is a word, and there is one behind the last space.
    String words = "jvhost " + (typed.isEmpty() ? "''" : typed.replace("=", " = "));

    String ask =
        """
        source %s
        COMP_WORDS=(%s)
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _complete_jvhost 2>/dev/null
        printf '%%s\\n' "${COMPREPLY[@]}"
        """
            .formatted(script, words);
    Process bash = new ProcessBuilder("bash", "-c", ask).redirectErrorStream(true).start();
    try {
      bash.getOutputStream().close();
      String answer = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

      assertThat(bash.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(answer.lines().map(String::strip)).contains(offered);
    } finally {
      bash.destroyForcibly();
    }
  }

  @Test
  void theVersionIsTheProjects() throws IOException {
    String version =
        Files.readString(Path.of("pom.xml")).split("<version>", 2)[1].split("</version>", 2)[0];

    assertThat(printed("--version")).isEqualTo("jvhost " + version + "\n");
  }

  @Test
  void aFileIsNoTerminal() throws IOException {
    Path terminal = Files.createSymbolicLink(files.resolve("2"), Path.of("/dev/pts/3"));

    assertThat(DemoProgress.isTerminal(terminal)).isTrue();
    assertThat(DemoProgress.isTerminal(Files.createSymbolicLink(files.resolve("3"), files)))
        .isFalse();
    assertThat(DemoProgress.isTerminal(files.resolve("none"))).isFalse();
  }
}
