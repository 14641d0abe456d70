package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.Mediator;
import io.github.jvhost.mediate.MediatorOptions;
import io.github.jvhost.mediate.NicOptions;
import io.github.jvhost.mediate.NicStatus;
import io.github.jvhost.mediate.SwitchSockets;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jvhost mediate}. */
@Command(
    name = "mediate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Stands between QEMU and a switch, both unmodified. A migration's stop window gets short, and \
      running guests move to another switch.\
      """,
      """
      Start it, then give QEMU the FRONT-END socket instead of the switch's. Packets do not pass \
      through it. It runs until it is interrupted; then the switches stop serving, unless something \
      keeps the connections for the next mediator, and it prints a summary. docs/mediate.md explains what it does.\
      """,
      ""
    },
    footer = {
      "",
      "  jvhost mediate --nic net0=/run/mediate/net0,/run/vhost0 --profile=dpdk \\",
      "                 --control /run/mediate/control --peer /run/mediate/peer",
      "  jvhost mediate --nic net0=connect:/run/qemu0,listen:/run/vhost0",
      "  jvhost mediate --nic blk0=/run/mediate/blk0,/run/blk0,pass",
      "  jvhost mediate status /run/mediate/control",
      "  jvhost mediate move /run/mediate/control net0 /run/vhost-new",
      "  jvhost mediate standby /run/mediate/control net0 /run/vhost-b"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it was ended, by a signal or --for",
      "1:it could not listen somewhere",
      "2:the command line is wrong"
    },
    subcommands = {
      MediateStatusCommand.class,
      MediateMoveCommand.class,
      MediateStandbyCommand.class
    })
final class MediateCommand implements Callable<Integer> {
  /** A mediator often has one window, and its code would be compiled in it. */
  private static final Duration REHEARSING = Duration.ofMillis(700);

  @Spec private CommandSpec spec;

  @Option(
      names = "--nic",
      paramLabel = "NAME=FRONT-END,SWITCH[,pass]",
      description =
          """
          A device to mediate; can be given more than once. FRONT-END is a path where QEMU \
          connects, connect:PATH where QEMU listens, or fd:NAME for a socket of systemd. SWITCH is a path where the switch listens, \
          or listen:PATH where it connects. With pass, messages are passed on as they are: for \
          devices that are no network device, and guests with an IOMMU. Names are the same on both \
          hosts of a migration.\
          """)
  private List<String> nics = List.of();

  @Option(
      names = "--control",
      paramLabel = "SOCKET",
      description = "Listen here for status, move and standby; for this user and root only.")
  private @Nullable Path control;

  @Option(
      names = "--peer",
      paramLabel = "ADDRESS",
      description =
          """
          The mediator of the other host, forwarded by ssh: a path or tcp:127.0.0.1:PORT to \
          connect to, or the same behind listen: to listen there.\
          """)
  private @Nullable String peer;

  @Option(
      names = "--memory",
      paramLabel = "[NAME=]PLACE",
      description =
          """
          Where a guest's memory is before QEMU sends it: auto (in QEMU's process, the default), \
          PATH[,PATH...] of its files, or pid-file:PATH of the process. With NAME= for one NIC, \
          otherwise for all.\
          """)
  private List<String> memory = List.of();

  @Option(
      names = "--profile",
      paramLabel = "PROFILE",
      completionCandidates = Candidates.Profiles.class,
      description =
          """
          What the switches are: generic, dpdk (Open vSwitch with DPDK as well), vfe, \
          libvhost-user, rust-vmm (default: generic). With dpdk less is told when a guest starts.\
          """)
  private String profile = "generic";

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.Dialects.class,
      description =
          """
          What numbers mean at the switches: upstream, rfc-2023, nvidia-qemu-8-2, or BIT:ID for \
          PRESETUP with numbers of your own (default: upstream).\
          """)
  private String dialectName = "upstream";

  @Option(
      names = "--remember",
      paramLabel = "DIRECTORY",
      description =
          "Keep here what each NIC had at its last start, and tell the switch early at the next.")
  private @Nullable Path remember;

  @Option(
      names = "--keep",
      paramLabel = "SOCKET",
      description =
          """
          A `jvhost keep`, which holds the connections while no mediator runs. Without it systemd \
          does, if it has started this and FileDescriptorStoreMax= is set.\
          """)
  private @Nullable Path keep;

  @Mixin private RunsFor runsFor;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  MediateCommand() {}

  @Override
  public Integer call() {
    List<NicWords> words = nics.stream().map(nic -> NicWords.parse(spec, nic)).toList();
    if (words.isEmpty()) {
      throw usage("Say what to mediate: --nic NAME=FRONT-END,SWITCH; or status, move, standby");
    }
    requireDifferent(words);
    if (remember != null && !Files.isDirectory(remember)) {
      throw usage("--remember: %s is no directory".formatted(remember));
    }
    var places = MemoryWords.parse(spec, memory, words);
    Dialect dialect = Words.dialect(spec, dialectName);
    BackEndProfile known =
        BackEndProfile.named(profile)
            .orElseThrow(() ->
                usage(
                    "--profile: '%s' is none of generic, dpdk, vfe, libvhost-user, rust-vmm"
                        .formatted(profile)));
    DescriptorLedger ledger = DescriptorLedger.counting();
    try (var signals = new EndOnSignal();
        var sockets = new SwitchSockets()) {
      MediatorOptions options =
          options()
              .withNics(
                  words.stream()
                      .filter(nic -> !nic.pass())
                      .map(nic ->
                          NicOptions.of(
                                  nic.name(),
                                  nic.frontEnd(),
                                  sockets.address(nic.name(), nic.theSwitch()),
                                  known)
                              .withDialect(dialect)
                              .withRam(places.of(nic.name())))
                      .toList())
              .withPassed(words.stream().filter(NicWords::pass).map(NicWords::passed).toList());
      List<NicStatus> last;
      Mediator mediator = Mediator.start(options, ledger);
      try {
        output.announce(
            "mediating " + String.join(", ", words.stream().map(NicWords::name).toList()));
        last = untilTheEnd(mediator);
      } finally {
        mediator.leave(); // for the mediator that takes over, if there is a keeper
      }
      output.print(new Shown().both("nics", last, MediateCommand::shown));
      signals.exitCode(0);
    }
    return 0;
  }

  /** What is said of the mediator as a whole. */
  private MediatorOptions options() {
    try {
      return MediatorOptions.of(List.of())
          .withPeer(peer)
          .withKeeper(keep)
          .withRehearsing(REHEARSING)
          .withRemember(remember)
          .withControl(control);
    } catch (VhostException e) {
      throw usage("--peer: " + e.getMessage());
    }
  }

  private static Shown shown(NicStatus nic) {
    return new Shown()
        .both("nic", nic.name(), "%-12s ")
        .both("state", nic.state(), "%s, ")
        .both("messages", nic.messages(), "%d messages of its front end, ")
        .both("messagesToTheSwitch", nic.messagesToTheSwitch(), "%d to its switches%n");
  }

  /** Waits for the end, and returns what went on then. */
  private List<NicStatus> untilTheEnd(Mediator mediator) {
    try {
      var _ = new CountDownLatch(1).await(runsFor.end().remainingNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      // The interrupt ends the command.
    }
    // A second signal does not disturb the normal end.
    var _ = Thread.interrupted();
    return mediator.status();
  }

  /** Refuses what cannot work: a name or a socket that is there twice. */
  private void requireDifferent(List<NicWords> words) {
    Set<String> names = new HashSet<>();
    Set<Path> paths = new HashSet<>();
    for (NicWords nic : words) {
      if (!names.add(nic.name())) {
        throw usage("--nic: two are named " + nic.name());
      }
      requireNew(paths, nic.frontEndPath(), "--nic " + nic.name());
      requireNew(paths, nic.switchPath(), "--nic " + nic.name());
    }
    if (control != null) {
      Words.requireNamed(spec, "--control", control);
      Words.requireSocketPath(spec, "--control", control);
      requireNew(paths, control, "--control");
    }
  }

  private void requireNew(Set<Path> paths, @Nullable Path path, String what) {
    if (path != null && !paths.add(path.toAbsolutePath().normalize())) {
      throw usage(what + ": " + path + " is given twice; each socket is for one purpose");
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
