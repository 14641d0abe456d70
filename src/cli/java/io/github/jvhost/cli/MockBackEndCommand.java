package io.github.jvhost.cli;

import io.github.jvhost.channel.socket.StaleSocket;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.ReflectingPort;
import io.github.jvhost.virtio.NetFeature;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;
import picocli.CommandLine.UnmatchedArgumentException;

/** {@code jvhost mock-back-end}. */
@Command(
    name = "mock-back-end",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "A vhost-user back end for a network device, for trying a front end on.",
      """
      It listens at SOCKET, checks every message, and returns every frame to its \
      sender with the Ethernet addresses exchanged. It runs until it is interrupted; then it prints \
      a summary.\
      """,
      """
      A program that manages back ends can start it by the conventions of vhost-user: with \
      --socket-path or --fd, after asking with --print-capabilities.\
      """,
      ""
    },
    footer = {
      "",
      "  jvhost mock-back-end /tmp/vhost0 --personality=dpdk --trace",
      "  jvhost mock-back-end /tmp/vhost0 --fault=set-mem-table=refuse --for=1m --json",
      "  jvhost mock-back-end --socket-path=/tmp/vhost0"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it was ended, by a signal, --for or the end of the connection in --fd, whatever a front"
          + " end did wrong",
      "1:it could not listen there",
      "2:the command line is wrong"
    })
final class MockBackEndCommand implements Callable<Integer> {
  /** The most frames that wait to be returned: more than one turn of all rings delivers. */
  private static final int MIRROR_FRAMES = 4096;

  /** File descriptors 0 to 2 are standard input, output and error (vhost-user, conventions). */
  private static final int FIRST_OF_OURS = 3;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "SOCKET",
      arity = "0..1",
      description = "Where to listen; a socket that nobody serves any more is replaced.")
  private @Nullable Path socket;

  @Option(
      names = "--socket-path",
      paramLabel = "PATH",
      description = "The same as SOCKET, as programs that manage back ends say it.")
  private @Nullable Path socketPath;

  @Option(
      names = "--fd",
      paramLabel = "FDNUM",
      description =
          """
          Use the socket that it was started with as this file descriptor, 3 or more: one that \
          listens, or a connection. With a connection it ends when the connection ends.\
          """)
  private @Nullable Integer fd;

  @Option(
      names = "--print-capabilities",
      description =
          "Print what kind of back end this is, as JSON (vhost-user.json), and do nothing else.")
  private boolean printCapabilities;

  /** Ignores everything else that is given with --print-capabilities. */
  @Unmatched private List<String> unmatched = new ArrayList<>();

  @Option(
      names = "--personality",
      paramLabel = "WHO",
      completionCandidates = Candidates.Personalities.class,
      description =
          """
          Whose behaviour it has: generic, dpdk, libvhost-user, rust-vmm, crosvm, vpp, vfe \
          (default: generic).\
          """)
  private String personality = "generic";

  @Option(
      names = "--queue-pairs",
      paramLabel = "N",
      description = "Queue pairs that it serves, 1 to 64 (default: 8).")
  private int queuePairs = 8;

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.Dialects.class,
      description =
          """
          Whose message numbers it understands: upstream, rfc-2023, nvidia-qemu-8-2, or BIT:ID \
          for PRESETUP with numbers of your own (default: upstream).\
          """)
  private String dialect = "upstream";

  @Option(
      names = "--hardware-model",
      paramLabel = "MODEL",
      completionCandidates = Candidates.HardwareModels.class,
      description =
          "What configuring it costs (modelled): rfc, locked-memory, none, or a file (default:"
              + " none).")
  private String hardwareModel = "none";

  @Option(names = "--packed", description = "Offer packed rings too.")
  private boolean packed;

  @Option(
      names = "--fault",
      paramLabel = "MESSAGE[#N]=WHAT",
      converter = FaultWords.class,
      description =
          """
          Do something wrong at the first (N-th) such message, at every one \
          (get-vring-base#every=base:0), at the N-th of all (12=WHAT), or at a new connection \
          (connection#2=hang-up-before). WHAT is refuse, refuse-silently, base:N, delay:TIME, \
          short-reply, wrong-size, wrong-id, reply-flags:BITS, never-read, no-answer, \
          never-answers, answer-twice, trailing-bytes:N, extra-descriptors:N, no-descriptors, \
          hang-up-before, hang-up-after, hang-up-unread, hang-up-in-header, hang-up-in-payload, \
          hang-up-before-answer, or hang-up-in-answer:BYTES. More than one can be given.\
          """)
  private List<Faults.Fault> faults = List.of();

  @Option(
      names = "--trace",
      description = "Print every message as it comes in; with --json, on standard error.")
  private boolean trace;

  @Mixin private RunsFor runsFor;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  MockBackEndCommand() {}

  @Override
  public Integer call() {
    if (printCapabilities) {
      // QEMU, docs/interop/vhost-user.json, VHostUserBackendCapabilities: net has no features.
      JsonText.print(spec.commandLine().getOut(), new Shown().json("type", "net"));
      return 0;
    }
    if (!unmatched.isEmpty()) {
      throw new UnmatchedArgumentException(spec.commandLine(), unmatched);
    }
    Path place = place();
    DescriptorLedger ledger = DescriptorLedger.counting();
    var port = new ReflectingPort("mirror", MIRROR_FRAMES);
    MockBackEnd.Builder wanted =
        MockBackEnd.builder(place, ledger)
            .offer(offer())
            .hardware(Words.hardware(hardwareModel))
            .port(port)
            .faults(new Faults(faults));
    Integer number = fd;
    boolean only = false;
    if (number == null) {
      StaleSocket.removeAt(place);
    } else {
      OwnedDescriptor given = OwnedDescriptor.adopt(ledger, number, "the socket of --fd");
      only = !listens(given);
      wanted.on(given);
    }
    try (port;
        var signals = new EndOnSignal()) {
      MockBackEnd backEnd = wanted.start();
      Optional<MockTrace> traced = traceOf(backEnd.record());
      try {
        output.announce((only ? "connected by " : "listening at ") + place);
        serve(backEnd.record(), traced, only);
      } finally {
        // A second signal does not disturb the normal end.
        var _ = Thread.interrupted();
        backEnd.close();
      }
      traced.ifPresent(MockTrace::catchUp);
      output.print(MockSummary.of(backEnd, port));
      signals.exitCode(0);
    }
    return 0;
  }

  /** Returns true if a socket listens. Closes a descriptor that is no socket. */
  private static boolean listens(OwnedDescriptor given) {
    try {
      return given.listens();
    } catch (SystemCallException e) {
      given.close();
      throw e;
    }
  }

  /** Returns the socket's path, or its name for messages, from exactly one of the three options. */
  private Path place() {
    Path path = socket == null ? socketPath : socket;
    long ways = Stream.of(socket, socketPath, fd).filter(Objects::nonNull).count();
    if (ways > 1) {
      throw usage("SOCKET, --socket-path and --fd: only one of them");
    }
    Integer number = fd;
    if (path != null) {
      Words.requireNamed(spec, socket == null ? "--socket-path" : "SOCKET", path);
      return path;
    }
    if (number == null) {
      throw usage("Say where to listen: SOCKET, --socket-path or --fd");
    }
    if (number < FIRST_OF_OURS) {
      throw usage(
          "--fd: 3 or more, not %d: the first three are standard input, output and error"
              .formatted(number));
    }
    return Path.of("/dev/fd/" + number);
  }

  /**
   * Runs until the end.
   *
   * @param only true if it ends with the first connection
   */
  private void serve(BackEndRecord record, Optional<MockTrace> traced, boolean only) {
    Deadline end = runsFor.end();
    try {
      while (!end.expired() && !(only && record.disconnections() > 0)) {
        traced.ifPresent(MockTrace::catchUp);
        // If no messages are shown, it only waits for the end.
        record.await(
            told ->
                traced.map(MockTrace::isBehind).orElse(false)
                    || (only && told.disconnections() > 0),
            end);
      }
    } catch (InterruptedException e) {
      // The interrupt ends the command.
    }
  }

  private Optional<MockTrace> traceOf(BackEndRecord record) {
    return trace ? Optional.of(new MockTrace(record, output.messages())) : Optional.empty();
  }

  private BackEndOffer offer() {
    Personality who =
        Words.choose(
            spec, "--personality", personality, Arrays.asList(Personality.values()), Words::label);
    if (queuePairs < 1 || queuePairs > 64) {
      throw usage("--queue-pairs: 1 to 64, not " + queuePairs);
    }
    Dialect numbers = Words.dialect(spec, dialect);
    if (numbers.presetup().isPresent() && !who.knowsPresetup()) {
      throw usage(
          "--dialect: %s has PRESETUP, of which a %s knows nothing: --personality=generic or vfe"
              .formatted(Words.label(numbers), Words.label(who)));
    }
    BackEndOffer offer = BackEndOffer.of(who).withQueuePairs(queuePairs).withDialect(numbers);
    return packed ? offer.withFeatures(offer.features() | NetFeature.RING_PACKED.mask()) : offer;
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
