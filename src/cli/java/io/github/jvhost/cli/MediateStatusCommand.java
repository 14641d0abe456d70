package io.github.jvhost.cli;

import io.github.jvhost.report.Json;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost mediate status}. */
@Command(
    name = "status",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Shows what a mediator does: of each NIC its state, switch, standby, features and rings, what \
      the switch was told early and at the last start, and what failed last.\
      """,
      ""
    },
    footer = {"", "  jvhost mediate status /run/mediate/control --json"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:shown", "1:no mediator answered there", "2:the command line is wrong"})
final class MediateStatusCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "CONTROL", description = "The mediator's --control.")
  private Path control;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  MediateStatusCommand() {}

  @Override
  public Integer call() {
    Words.requireNamed(spec, "CONTROL", control);
    Json answer = ControlQuestion.ask(control, "status", ControlQuestion.USUAL);
    output.print(MediateSummary.of(answer));
    return 0;
  }
}
