package io.github.jvhost.cli;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The commands that README and docs/ show are those that there are, with options that they have.
 */
class CommandsDocTest {
  private static final Path README = Path.of("README.md");
  private static final Path PAGE = Path.of("docs", "commands.md");

  /** A row of the README's table: the words of a command, and the heading that explains it. */
  private static final Pattern ROW =
      Pattern.compile("(?m)^\\| \\[`([^`]+)`]\\(docs/commands\\.md#([a-z-]+)\\) \\|");

  private static final Pattern SECTION = Pattern.compile("(?ms)^##+ ([a-z-]+)\n(.*?)(?=^##+ |\\z)");
  private static final Pattern OPTION = Pattern.compile("`(--[a-z-]+)(?:[ =]([^`]+))?`");
  private static final Pattern SHOWN =
      Pattern.compile("(?m)^(?:\\$ )?\\./jvhost( .*)$|`\\./jvhost( [^`]+)`");

  private static CommandLine jvhost() {
    return new CommandLine(new Jvhost());
  }

  @Test
  void theReadmesTableHasEveryCommand() throws IOException {
    List<List<String>> rows =
        ROW.matcher(Files.readString(README)).results().map(row -> words(row.group(1))).toList();

    assertThat(rows)
        .as("each with what it needs")
        .hasSameSizeAs(CommandHelpTest.commands().toList())
        .allSatisfy(row -> parses(row));
    for (List<String> command : CommandHelpTest.commands().toList()) {
      assertThat(rows)
          .as(String.join(" ", command))
          .anyMatch(row -> Collections.indexOfSubList(row, command) == 0);
    }
  }

  @Test
  void eachRowLeadsToTheCommandsSection() throws IOException {
    Set<String> sections = sections().map(section -> section.group(1)).collect(Collectors.toSet());

    for (MatchResult row : ROW.matcher(Files.readString(README)).results().toList()) {
      assertThat(row.group(2)).isEqualTo(words(row.group(1)).getFirst()).isIn(sections);
    }
  }

  private static Stream<MatchResult> sections() throws IOException {
    return SECTION.matcher(Files.readString(PAGE)).results();
  }

  @Test
  void aSectionNamesOptionsThatItsCommandHas() throws IOException {
    Set<String> commands = jvhost().getSubcommands().keySet();
    var checked = new TreeSet<String>();
    for (MatchResult section : sections().filter(s -> commands.contains(s.group(1))).toList()) {
      for (MatchResult option : OPTION.matcher(section.group(2)).results().toList()) {
        checked.add(section.group(1));
        CommandLine command = requireNonNull(jvhost().getSubcommands().get(section.group(1)));
        assertThat(command.getCommandSpec().optionsMap())
            .as(section.group(1))
            .containsKey(option.group(1));
        String value = option.group(2);
        if (value != null && Character.isLowerCase(value.charAt(0))) { // WHO stands for a word
          List<String> words = new ArrayList<>(List.of(section.group(1)));
          words.add(option.group(1) + "=" + value);
          command.getCommandSpec().positionalParameters().stream()
              .filter(PositionalParamSpec::required)
              .forEach(_ -> words.add("FILE"));
          parses(words);
        }
      }
    }
    assertThat(checked).contains("demo", "mock-back-end", "probe", "proxy", "trace", "plan");
  }

  /** All command lines that README and docs/ show. */
  static Stream<String> shown() throws IOException {
    try (Stream<Path> docs = Files.list(Path.of("docs"))) {
      List<String> lines = new ArrayList<>();
      List<Path> pages = docs.filter(page -> page.toString().endsWith(".md")).sorted().toList();
      for (Path page : Stream.concat(Stream.of(README), pages.stream()).toList()) {
        SHOWN
            .matcher(Files.readString(page))
            .results()
            .map(line -> line.group(1) == null ? line.group(2) : line.group(1))
            .filter(line -> !line.startsWith(" COMMAND"))
            .forEach(lines::add);
      }
      assertThat(lines).hasSizeGreaterThan(10);
      return lines.stream().distinct();
    }
  }

  @ParameterizedTest
  @MethodSource("shown")
  void aCommandLineThatIsShownIsUnderstood(String line) {
    parses(words(line));
  }

  /** What the command gets of a line: no comment, nothing that is for the shell. */
  private static List<String> words(String line) {
    return Arrays.asList(line.replaceFirst("\\s[#>|].*", "").strip().split("\\s+", -1));
  }

  /** Only parses: nothing is run. */
  private static void parses(List<String> words) {
    assertThatCode(() -> jvhost().parseArgs(words.toArray(String[]::new)))
        .as("jvhost " + String.join(" ", words))
        .doesNotThrowAnyException();
  }
}
