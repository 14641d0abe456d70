package io.github.jvhost.cli;

import io.github.jvhost.report.Json;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost mediate standby}. */
@Command(
    name = "standby",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Says which switch takes a NIC over when the one that serves it goes away. The mediator keeps \
      it told of everything early. `mediate status` says when it is ready.\
      """,
      ""
    },
    footer = {
      "",
      "  jvhost mediate standby /run/mediate/control net0 /run/vhost-b",
      "  jvhost mediate standby /run/mediate/control net0 none"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the mediator connects to it from now on",
      "1:the mediator did not take it, or nobody answered",
      "2:the command line is wrong"
    })
final class MediateStandbyCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "CONTROL", description = "The mediator's --control.")
  private Path control;

  @Parameters(index = "1", paramLabel = "NIC", description = "Its name.")
  private String nic;

  @Parameters(
      index = "2",
      paramLabel = "SWITCH",
      description = "Where the standby listens, listen:PATH where it connects, or none.")
  private String theSwitch;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  MediateStandbyCommand() {}

  @Override
  public Integer call() {
    Words.requireNamed(spec, "CONTROL", control);
    String address =
        theSwitch.equals(ControlQuestion.NONE)
            ? theSwitch
            : ControlQuestion.address(spec, theSwitch);
    String request = "standby %s %s".formatted(ControlQuestion.nic(spec, nic), address);
    Json answer = ControlQuestion.ask(control, request, ControlQuestion.USUAL);
    String standby = answer.at("standby").textOrNull();
    output.print(
        new Shown()
            .both("nic", answer.at("nic").text(), "%s ")
            .json("standby", standby)
            .text(standby == null ? "has no standby%n" : "has the standby %s%n", standby));
    return 0;
  }
}
