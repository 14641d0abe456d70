package io.github.jvhost.cli;

import io.github.jvhost.mediate.keep.Keeper;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost keep}. */
@Command(
    name = "keep",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Holds a mediator's descriptors, so that another mediator can go on where it was killed.",
      """
      It is for hosts without systemd. It serves one mediator at a time, of the same user or of \
      root, and refuses others while that one is connected. It runs until it is interrupted; then \
      it closes what it holds, and prints a summary. The mediator that runs then is not disturbed.\
      """,
      ""
    },
    footer = {"", "  jvhost keep /run/mediate/keep"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it was ended, by a signal or --for",
      "1:it could not listen there",
      "2:the command line is wrong"
    })
final class KeepCommand implements Callable<Integer> {
  private static final Duration LOOK = Duration.ofMillis(200);

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "SOCKET",
      description =
          "Where the mediator shall connect; a socket that nobody serves any more is replaced.")
  private Path socket;

  @Mixin private RunsFor runsFor;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  KeepCommand() {}

  @Override
  public Integer call() {
    Words.requireNamed(spec, "SOCKET", socket);
    Deadline end = runsFor.end();
    try (var signals = new EndOnSignal();
        var keeper = Keeper.listen(socket, DescriptorLedger.counting())) {
      output.announce("keeping at " + socket);
      while (!end.expired() && !Thread.interrupted()) {
        Duration left = Duration.ofNanos(end.remainingNanos());
        keeper.serve(Deadline.after(left.compareTo(LOOK) < 0 ? left : LOOK));
      }
      output.print(
          new Shown()
              .json("socket", socket.toString())
              .both("clients", keeper.clients(), "clients      %d%n")
              .both("refused", keeper.refused(), "refused      %d%n")
              .both("held", keeper.held(), "held         %d descriptors, closed now%n"));
      signals.exitCode(0);
    }
    return 0;
  }
}
