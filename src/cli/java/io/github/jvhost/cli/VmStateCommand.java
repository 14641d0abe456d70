package io.github.jvhost.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jvhost vmstate}. */
@Command(
    name = "vmstate",
    mixinStandardHelpOptions = true,
    description =
        """
        Reads the virtio-net devices in a migration stream of QEMU. Files may be packed with \
        gzip; - is standard input.\
        """,
    subcommands = {ShowCommand.class, DiffCommand.class, RoundTripCommand.class},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:it did not work; roundtrip: something differs",
      "2:the command line is wrong"
    })
final class VmStateCommand implements Runnable {
  @Spec private CommandSpec spec;

  @SuppressWarnings("NullAway.Init") // picocli sets the field
  VmStateCommand() {}

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: show, diff, roundtrip");
  }
}
