package io.github.jvhost.cli;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.probe.BackEndProbe;
import io.github.jvhost.vhost.kernel.KernelOffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost probe}. */
@Command(
    name = "probe",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Asks a vhost-user back end, or the kernel's, what it offers, and prints the answers.",
      """
           It starts nothing, and sets no memory, ring, feature or status. To ask for queues, memory \
           slots and status, it has to acknowledge the protocol features MQ, CONFIGURE_MEM_SLOTS and \
           STATUS if they are offered (SET_PROTOCOL_FEATURES); that ends with the connection. \
      A back end that serves one front end at a time is busy meanwhile. A vDPA device is opened, which \
      resets it; nobody else has it open then.\
      """,
      ""
    },
    footer = {"", "  jvhost probe /run/vhost0", "  jvhost probe /dev/vhost-net"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:it answered", "1:it did not", "2:the command line is wrong"})
final class ProbeCommand implements Callable<Integer> {
  private static final int MOST_ROUND_TRIPS = 1_000_000;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "BACKEND",
      description =
          "The socket at which it listens; or /dev/vhost-net, or /dev/vhost-vdpa-0, for example.")
  private Path socket;

  @Option(
      names = "--device",
      paramLabel = "KIND",
      completionCandidates = Candidates.DeviceKinds.class,
      description =
          """
          The kind of device: net, or other, whose device-specific feature bits are shown as \
          numbers (default: net).\
          """)
  private String device = "net";

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.Dialects.class,
      description =
          """
          What numbers mean at this back end, which the wire does not show: upstream, \
          rfc-2023, nvidia-qemu-8-2, or BIT:ID for PRESETUP with numbers of your own (default: \
          upstream).\
          """)
  private String dialectName = "upstream";

  @Option(
      names = "--round-trips",
      paramLabel = "N",
      description = "Questions whose answers are timed, 0 to 1000000 (default: 1000).")
  private int roundTrips = 1000;

  @Option(
      names = "--timeout",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description =
          "How long connecting, and each answer, may take; of a device all of it (default: 2s).")
  private TimeSpan timeout = new TimeSpan(Duration.ofSeconds(2));

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ProbeCommand() {}

  @Override
  public Integer call() {
    Words.requireNamed(spec, "BACKEND", socket);
    Dialect dialect = Words.dialect(spec, dialectName);
    boolean net =
        Words.choose(spec, "--device", device, List.of("net", "other"), w -> w).equals("net");
    if (roundTrips < 0 || roundTrips > MOST_ROUND_TRIPS) {
      throw new ParameterException(
          spec.commandLine(),
          "--round-trips: 0 to %d, not %d".formatted(MOST_ROUND_TRIPS, roundTrips));
    }
    output.print(probe(dialect, net));
    return 0;
  }

  private Shown probe(Dialect dialect, boolean net) {
    Duration within = timeout.duration();
    try {
      return KernelOffer.isDevice(socket)
          ? KernelProbeSummary.of(socket, KernelOffer.of(socket, within))
          : ProbeSummary.of(socket, BackEndProbe.probe(socket, dialect, roundTrips, within), net);
    } catch (DeadlineException e) {
      throw new VhostException(e.getMessage() + "; --timeout waits longer", e.recovery(), e);
    }
  }
}
