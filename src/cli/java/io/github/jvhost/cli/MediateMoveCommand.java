package io.github.jvhost.cli;

import io.github.jvhost.report.Json;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost mediate move}. */
@Command(
    name = "move",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Moves a NIC to another switch while its guest runs. The other switch is told everything \
      early; then the NIC stops at the old one and starts at the new one. If anything fails, it \
      stays where it was.\
      """,
      ""
    },
    footer = {"", "  jvhost mediate move /run/mediate/control net0 /run/vhost-new"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the other switch serves it",
      "1:it was not moved, or nobody answered",
      "2:the command line is wrong"
    })
final class MediateMoveCommand implements Callable<Integer> {
  private static final Duration LONGEST = Duration.ofHours(1);

  /** For the stop, the start and a way back, each of which is bounded. */
  private static final Duration SLACK = Duration.ofSeconds(50);

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "CONTROL", description = "The mediator's --control.")
  private Path control;

  @Parameters(index = "1", paramLabel = "NIC", description = "Its name.")
  private String nic;

  @Parameters(
      index = "2",
      paramLabel = "SWITCH",
      description = "Where the other switch listens, or listen:PATH where it connects.")
  private String theSwitch;

  @Option(
      names = "--within",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description =
          "How long the other switch may take to be ready, 1s to 1h; the guest runs meanwhile"
              + " (default: 1m).")
  private TimeSpan within = new TimeSpan(Duration.ofMinutes(1));

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  MediateMoveCommand() {}

  @Override
  public Integer call() {
    Words.requireNamed(spec, "CONTROL", control);
    long seconds = within.duration().toSeconds();
    if (seconds < 1 || within.duration().compareTo(LONGEST) > 0) {
      throw new ParameterException(spec.commandLine(), "--within: 1s to 1h");
    }
    String request =
        "move %s %s %d"
            .formatted(
                ControlQuestion.nic(spec, nic), ControlQuestion.address(spec, theSwitch), seconds);
    Json answer = ControlQuestion.ask(control, request, within.duration().plus(SLACK));
    output.print(
        new Shown()
            .both("nic", answer.at("nic").text(), "%s is served by ")
            .both("switch", answer.at("switch").text(), "%s, ")
            .both("micros", answer.at("micros").count(), "moved in %d us%n"));
    return 0;
  }
}
