package io.github.jvhost.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code jvhost completion}. */
@Command(
    name = "completion",
    mixinStandardHelpOptions = true,
    description = {
      "Prints a script that makes bash, or zsh, complete this command.",
      "",
      "  source <(jvhost completion)",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:printed", "2:the command line is wrong"})
final class CompletionCommand implements Callable<Integer> {
  private static final String BEGIN = "function _complete_jvhost() {\n";

  /**
   * Bash makes the equals sign a word of its own, and picocli's script does not expect that: it
   * would complete nothing behind {@code --option=}. This function therefore shadows the script's
   * words with words that have no equals sign.
   */
  private static final String WITHOUT_EQUALS =
      """
        local -a words=()
        local i current=${COMP_CWORD}
        for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
          if [ "${COMP_WORDS[i]}" != "=" ]; then
            words+=("${COMP_WORDS[i]}")
          elif [ "${i}" -eq "${COMP_CWORD}" ]; then
            words+=("")
          elif [ "${i}" -lt "${COMP_CWORD}" ]; then
            current=$((current - 1))
          fi
        done
        local COMP_CWORD=${current}
        local -a COMP_WORDS=("${words[@]}")

      """;

  @Spec private CommandSpec spec;

  @SuppressWarnings("NullAway.Init") // picocli sets the field
  CompletionCommand() {}

  @Override
  public Integer call() {
    CommandLine whole = spec.root().commandLine();
    String script = AutoComplete.bash(spec.root().name(), whole);
    PrintWriter out = spec.commandLine().getOut();
    out.println(script.replace(BEGIN, BEGIN + WITHOUT_EQUALS));
    out.flush();
    return 0;
  }
}
