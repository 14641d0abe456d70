package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.HardwareModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.testkit.scenario.Change;
import io.github.jvhost.testkit.scenario.Failure;
import io.github.jvhost.testkit.scenario.MigrationScenario;
import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.ScenarioOptions.BackEndKind;
import io.github.jvhost.testkit.scenario.Variant;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jvhost demo}. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Migrates a running guest with its NICs, in several ways, and shows what each costs.",
      "",
      "off            as QEMU does it: its order, its waits, device after device",
      "off-pipelined  no presetup, but pipelined and side by side",
      "explicit       presetup with VHOST_USER_PRESETUP",
      "implicit       presetup at a back end that does not know that message",
      "implicit-dpdk  the same with what is known of DPDK",
      ""
    },
    footer = {
      "",
      "  jvhost demo --report report.html",
      "  jvhost demo --back-end=dpdk --memory=1G",
      "  jvhost demo --presetup=explicit --fail=back-end-lost-in-window"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:every guest runs on, with all its memory, and every lost ping was counted",
      "1:one does not, or something that is needed is not here",
      "2:the command line is wrong"
    })
final class DemoCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--devices",
      paramLabel = "N",
      description = "NICs of the guest, 1 to 16 (default: 2).")
  private int devices = 2;

  @Option(
      names = "--queue-pairs",
      paramLabel = "N",
      description = "Queue pairs of each NIC, 1 to 8 (default: 1).")
  private int queuePairs = 1;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      converter = ByteSize.Converter.class,
      description = "Guest memory, 16M or more, as in 512M or 1G (default: 256M).")
  private ByteSize memory = new ByteSize(256L << 20);

  @Option(
      names = "--presetup",
      paramLabel = "WAY",
      completionCandidates = Candidates.Variants.class,
      split = ",",
      description = "One of the above, several with commas, or all (default: all).")
  private List<String> presetup = List.of("all");

  @Option(
      names = "--profile",
      paramLabel = "PROFILE",
      completionCandidates = Candidates.Profiles.class,
      description =
          "What the front end takes the back end for: generic, dpdk, vfe, libvhost-user, rust-vmm.")
  private @Nullable String profile;

  @Option(
      names = "--hardware-model",
      paramLabel = "MODEL",
      completionCandidates = Candidates.HardwareModels.class,
      description =
          "What configuring the mock back end costs (modelled): rfc, locked-memory, none, or a"
              + " file (default: rfc).")
  private String hardwareModel = "rfc";

  @Option(
      names = "--back-end",
      paramLabel = "KIND",
      completionCandidates = Candidates.DemoBackEnds.class,
      description =
          """
          mock; or dpdk: a real dpdk-testpmd, which is asked whether it has PRESETUP; or vhost-net: \
          the kernel's, with taps on a bridge, which needs the rights to make them (default: mock).\
          """)
  private String backEnd = "mock";

  @Option(
      names = "--testpmd",
      paramLabel = "PATH",
      description =
          "With --back-end=dpdk: this dpdk-testpmd, of another DPDK or of a fork, instead of the"
              + " one that is installed.")
  private @Nullable Path testpmd;

  @Option(
      names = "--personality",
      paramLabel = "WHO",
      completionCandidates = Candidates.Personalities.class,
      description =
          "Whose behaviour the mock back end has: generic, dpdk, libvhost-user, rust-vmm, crosvm,"
              + " vpp, vfe.")
  private @Nullable String personality;

  @Option(
      names = "--packed",
      description =
          "The guest uses packed rings; the mock back end keeps an in-flight region then.")
  private boolean packed;

  @Option(
      names = "--iommu",
      description =
          "Each NIC is behind an IOMMU: back ends ask for translations, and presetup tells them"
              + " early.")
  private boolean iommu;

  @Option(
      names = "--change",
      paramLabel = "WHAT",
      completionCandidates = Candidates.Changes.class,
      description =
          "What changes between presetup and the stop: none, queue-pairs, mtu, mac, memory, reset.")
  private String change = "none";

  @Option(
      names = "--fail",
      paramLabel = "HOW",
      completionCandidates = Candidates.Failures.class,
      description =
          """
          What goes wrong: presetup-refused, presetup-late, presetup-disconnect, \
          back-end-lost-in-window, source-back-end-lost, cancel-in-setup, cancel-in-iterate, \
          cancel-after-stop.\
          """)
  private String fail = "none";

  @Mixin private Output output;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "Also write a page for a browser, see 'jvhost report --help'.")
  private @Nullable Path report;

  @SuppressWarnings("NullAway.Init") // picocli sets the field
  DemoCommand() {}

  @Override
  public Integer call() {
    BackEndKind kind =
        choose("--back-end", backEnd, Arrays.asList(BackEndKind.values()), Words::label);
    boolean dpdk = kind == BackEndKind.DPDK;
    if (testpmd != null && !dpdk) {
      throw usage("--testpmd names a dpdk-testpmd, which is run with --back-end=dpdk only");
    }
    List<ScenarioOptions> all = variants(kind).stream().map(v -> options(v, kind)).toList();
    if (dpdk) {
      all = whatItHas(all);
    }
    if (report != null) {
      OutputFile.requireWritable(report);
    }
    requireRoom();
    List<RunResult> results = new ArrayList<>();
    try (var progress = DemoProgress.to(spec.commandLine().getErr())) {
      for (ScenarioOptions options : all) {
        results.add(new MigrationScenario(options, progress).run());
      }
    }
    if (output.isJson()) {
      output.print(DemoJson.of(results));
    } else {
      DemoTable.write(results, spec.commandLine().getOut());
    }
    if (report != null) {
      ReportFile.write(results, report);
    }
    return results.stream().allMatch(DemoCommand::wentWell) ? 0 : 1;
  }

  /**
   * Fails before the migrations, and not during one, if the machine has not enough memory for the
   * guest twice.
   */
  private void requireRoom() {
    long needed = 2 * memory.bytes();
    long available = AvailableMemory.bytes().orElse(Long.MAX_VALUE);
    if (needed > available || needed < 0) {
      throw new VhostException(
          "--memory: source and destination would take %d MiB each, and %d MiB are available here"
              .formatted(memory.bytes() >> 20, available >> 20),
          Recovery.GIVE_UP);
    }
  }

  /**
   * Leaves out explicit presetup if this DPDK does not have it and the command line does not name
   * it.
   */
  private List<ScenarioOptions> whatItHas(List<ScenarioOptions> wanted) {
    Optional<String> missing = testpmd == null ? Testpmd.available() : Testpmd.available(testpmd);
    if (missing.isPresent()) {
      String option = testpmd == null ? "--back-end=dpdk: " : "--testpmd: ";
      throw new VhostException(option + missing.get(), Recovery.GIVE_UP);
    }
    if (wanted.stream().noneMatch(DemoCommand::isExplicit) || TestpmdPresetup.isIn(testpmd)) {
      return wanted;
    }
    if (presetup.equals(List.of("all"))) {
      return wanted.stream().filter(o -> !isExplicit(o)).toList();
    }
    throw new VhostException(
        "--presetup=explicit: this dpdk-testpmd does not offer PRESETUP (protocol feature bit %d);"
                .formatted(Long.numberOfTrailingZeros(TestpmdPresetup.DIALECT.presetupMask()))
            + " --presetup=implicit does without, --testpmd names another one",
        Recovery.GIVE_UP);
  }

  private static boolean isExplicit(ScenarioOptions options) {
    return options.variant() == Variant.EXPLICIT;
  }

  private static boolean wentWell(RunResult result) {
    // A tap does not count what it drops while the guest is stopped.
    boolean counts = result.options().backEnd() != BackEndKind.VHOST_NET;
    return result.recovered() && result.checksumOk() && (!counts || result.lost() == 0);
  }

  private List<Variant> variants(BackEndKind kind) {
    if (presetup.equals(List.of("all"))) {
      return switch (kind) {
        case MOCK ->
            List.of(Variant.OFF, Variant.OFF_PIPELINED, Variant.EXPLICIT, Variant.IMPLICIT);
        case DPDK ->
            List.of(Variant.OFF, Variant.EXPLICIT, Variant.IMPLICIT, Variant.IMPLICIT_DPDK);
        case VHOST_NET -> List.of(Variant.OFF_PIPELINED, Variant.IMPLICIT);
      };
    }
    return presetup.stream()
        .map(w -> choose("--presetup", w, Arrays.asList(Variant.values()), Variant::label))
        .toList();
  }

  private ScenarioOptions options(Variant variant, BackEndKind kind) {
    Personality given =
        personality == null
            ? null
            : choose(
                "--personality", personality, Arrays.asList(Personality.values()), Words::label);
    BackEndProfile known = profile(variant, given);
    Personality fits =
        switch (known) {
          case DPDK -> Personality.DPDK;
          case NVIDIA_VFE -> Personality.VFE;
          case GENERIC, LIBVHOST_USER, RUST_VMM, VHOST_NET, VHOST_VDPA -> Personality.GENERIC;
        };
    Personality who = given == null ? fits : given;
    if (kind == BackEndKind.MOCK && known.holdsRingsUntilDriverOk() && who != fits) {
      throw usage(
          "the profile %s only holds for a back end that is one: --personality=%s"
              .formatted(known == BackEndProfile.DPDK ? "dpdk" : "vfe", Words.label(fits)));
    }
    HardwareModel hardware = Words.hardware(hardwareModel);
    Change changed = choose("--change", change, Arrays.asList(Change.values()), Words::label);
    Failure failure = choose("--fail", fail, Arrays.asList(Failure.values()), Words::label);
    try {
      return new ScenarioOptions(
          variant,
          devices,
          queuePairs,
          memory.bytes(),
          known,
          hardware,
          who,
          kind,
          testpmd,
          packed,
          iommu,
          changed,
          failure);
    } catch (VhostException e) { // these options do not fit together
      throw usage(String.valueOf(e.getMessage()));
    }
  }

  /**
   * What is assumed of the back ends. The back end that is known to have PRESETUP is NVIDIA's, so
   * explicit presetup takes the back end for one unless an option says otherwise.
   */
  private BackEndProfile profile(Variant variant, @Nullable Personality given) {
    if (variant == Variant.IMPLICIT_DPDK) {
      return BackEndProfile.DPDK;
    }
    if (profile == null) {
      boolean vfe = variant == Variant.EXPLICIT && (given == null || given == Personality.VFE);
      return vfe ? BackEndProfile.NVIDIA_VFE : BackEndProfile.GENERIC;
    }
    Optional<BackEndProfile> named = BackEndProfile.named(profile);
    return named.orElseThrow(() ->
        usage(
            "--profile: '%s' is none of generic, dpdk, vfe, libvhost-user, rust-vmm"
                .formatted(profile)));
  }

  private <T> T choose(String option, String word, List<T> from, Function<T, String> label) {
    return Words.choose(spec, option, word, from, label);
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
