package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.preview.PlanPreview;
import io.github.jvhost.testkit.preview.PlanPreviewBackEnd;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.testkit.preview.PlanPreviewState;
import io.github.jvhost.testkit.preview.PlanPreviewTraffic;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost plan}. */
@Command(
    name = "plan",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Shows what a back end would be sent, early and in the stop window, if the virtio-net devices \
      of a migration stream arrived here. Nothing is connected and nothing sent.\
      """,
      ""
    },
    footer = {
      "",
      """
      Assumed, because no stream contains it: the back end; that it accepts every message; that \
      nothing is in flight (each split ring's used index is its next index); that no dirty log is \
      on before the window ends; the addresses of guest memory, which follow from the machine's \
      name. State that no vhost-user device has is left out, and named. The command warns of a \
      split ring that cannot continue at the device's position, by the indexes in guest memory; a \
      real destination refuses it. It cannot check this for standard input.\
      """,
      "",
      "  jvhost plan stream.gz --back-end=dpdk"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:planned",
      "1:the stream could not be read, or there is no such plan",
      "2:the command line is wrong"
    })
final class PlanCommand implements Callable<Integer> {
  private static final long PAGE = 4096;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "The stream; - is standard input.")
  private String file;

  @Option(
      names = "--early",
      paramLabel = "EARLIER",
      description =
          """
          An earlier stream of the same machine, from which back ends are preset. \
          Without it the early section of the device in FILE is used, or else the \
          same state.\
          """)
  private @Nullable String early;

  @Option(
      names = "--back-end",
      paramLabel = "KIND",
      completionCandidates = Candidates.PlanBackEnds.class,
      description =
          "Which back end is assumed: explicit (it knows PRESETUP), dpdk, generic, or the kernel's"
              + " vhost-net, vdpa, or vdpa-explicit, which is started early on empty rings"
              + " (default: explicit).")
  private String kind = "explicit";

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.ExplicitDialects.class,
      description =
          "Which numbers PRESETUP has at an explicit one: rfc-2023, nvidia-qemu-8-2, BIT:ID"
              + " (default: rfc-2023).")
  private String dialect = "rfc-2023";

  @Option(
      names = "--memory",
      paramLabel = "SIZE[@BASE]",
      converter = MemoryPlace.Converter.class,
      description =
          """
          How much RAM the guest has, and from which guest address on: 512M, 4G, 1G@0x40000000. \
          More than one can be given with an address (default: the stream's largest block, where \
          the machine has its RAM).\
          """)
  private List<MemoryPlace> memoryPlaces = List.of();

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  PlanCommand() {}

  /**
   * The result for one device.
   *
   * @param planned what of its state is planned, and what is not
   * @param from the origin of the early state, as text
   * @param preview the preview, or null if none could be made
   * @param reason why there is no preview
   * @param warnings the problems of its rings
   */
  private record Result(
      SavedMachine.Device device,
      PlanPreviewState planned,
      String from,
      @Nullable PlanPreview preview,
      String reason,
      List<String> warnings) {}

  @Override
  public Integer call() {
    checkMemory();
    PlanPreviewBackEnd backEnd = backEnd();
    Words.onlyOneStandardInput(spec, file, early);
    SavedMachine machine = SavedMachine.read(file, System.in);
    SavedMachine earlier = early == null ? null : SavedMachine.read(early, System.in);
    PlanPreviewMemory memory = memory(machine);
    Map<String, List<String>> warnings = RingsInMemory.warnings(file, machine, memory);
    List<Result> results = new ArrayList<>();
    for (SavedMachine.Device device : machine.devices()) {
      List<String> own = warnings.getOrDefault(device.path(), List.of());
      results.add(result(machine, earlier, device, backEnd, memory, own));
    }
    output.print(
        new Shown()
            .json("stream", file)
            .text("%s%n", machine.describe())
            .both("backEnd", backEnd.name(), "assumed: back end %s, ")
            .text("guest memory of %s; see --help%n", memory.describe())
            .json("memory", memory.regions(), PlanCommand::region)
            .text(results.isEmpty() ? "no virtio-net devices%n" : "")
            .both("devices", results, PlanCommand::device));
    return results.stream().allMatch(result -> result.preview() != null) ? 0 : 1;
  }

  private void checkMemory() {
    for (MemoryPlace place : memoryPlaces) {
      long bytes = place.size().bytes();
      if (bytes < PAGE) {
        throw usage("--memory: a page of 4096 bytes at least, not " + bytes);
      }
      if (place.base().orElse(0) % PAGE != 0) {
        throw usage(
            "--memory: an address that is a multiple of 4096, not 0x%x"
                .formatted(place.base().getAsLong()));
      }
      if (memoryPlaces.size() > 1 && place.base().isEmpty()) {
        throw usage("--memory: more than one only where each has its address: SIZE@BASE");
      }
    }
  }

  /**
   * Returns the layout of guest memory. An invalid layout from the command line is a usage error.
   */
  private PlanPreviewMemory memory(SavedMachine machine) {
    try {
      return PreviewedBackEnd.memory(machine, memoryPlaces);
    } catch (VhostException e) {
      if (memoryPlaces.isEmpty()) {
        throw e;
      }
      throw usage("--memory: " + e.getMessage());
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private PlanPreviewBackEnd backEnd() {
    return switch (Words.choose(
        spec,
        "--back-end",
        kind,
        List.of("explicit", "dpdk", "generic", "vhost-net", "vdpa", "vdpa-explicit"),
        word -> word)) {
      case "dpdk" -> PlanPreviewBackEnd.dpdk();
      case "vhost-net" -> PlanPreviewBackEnd.vhostNet();
      case "vdpa" -> PlanPreviewBackEnd.vdpa(false);
      case "vdpa-explicit" -> PlanPreviewBackEnd.vdpa(true);
      case "generic" -> PlanPreviewBackEnd.generic();
      default -> {
        Dialect numbers = Words.dialect(spec, dialect);
        if (!numbers.hasPresetup()) {
          throw usage("--dialect: '%s' has no PRESETUP".formatted(dialect));
        }
        yield PlanPreviewBackEnd.explicit(numbers);
      }
    };
  }

  private Result result(
      SavedMachine machine,
      @Nullable SavedMachine earlier,
      SavedMachine.Device device,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory memory,
      List<String> warnings) {
    SavedMachine.Device first;
    String from;
    if (earlier != null) {
      first = earlier.device(device.path()).orElse(null);
      from =
          first == null
              ? "the same state, as " + early + " does not have it"
              : "the state in " + early;
    } else {
      first = machine.earlyOf(device).orElse(null);
      from = first == null ? "the same state" : "section " + first.header().idstr();
    }
    PlanPreviewState planned = PlanPreviewState.of(device.state(), backEnd);
    try {
      PlanPreview preview = PreviewedBackEnd.preview(device, first, backEnd, memory);
      return new Result(device, planned, from, preview, "", warnings);
    } catch (VhostException e) {
      return new Result(device, planned, from, null, reason(e), warnings);
    }
  }

  private static String reason(VhostException e) {
    boolean outside = e.getCause() instanceof VhostException v && isOutside(v);
    return e.getMessage() + (outside ? "; --memory=SIZE@BASE says where it is" : "");
  }

  private static boolean isOutside(VhostException e) {
    return e instanceof GuestAddressException || e.getCause() instanceof GuestAddressException;
  }

  private static Shown region(PlanPreviewMemory.Region region) {
    return new Shown()
        .json("address", "0x" + Long.toHexString(region.address()))
        .json("bytes", region.size());
  }

  private static Shown device(Result result) {
    PlanPreview preview = result.preview();
    var shown = new Shown().both("path", result.device().path(), "%n%s");
    shown.text(preview == null ? ": no plan: %s%n" : "%n", result.reason());
    List<String> without = result.planned().without();
    List<String> notOffered = result.planned().notOffered();
    if (preview != null && !without.isEmpty()) {
      shown.text(
          "  planned without what a device of this library does not have: %s%n",
          String.join(", ", without));
    }
    if (!notOffered.isEmpty()) {
      shown.text(
          "  planned without %s: this back end does not offer that, and a guest that has negotiated"
              + " it cannot arrive there%n",
          String.join(", ", notOffered));
    }
    result.warnings().forEach(line -> shown.text("  warning: %s%n", line));
    shown
        .json("without", without)
        .json("notOffered", notOffered)
        .json("warnings", result.warnings());
    if (preview == null) {
      return shown.json("noPlan", result.reason());
    }
    shown.json("earlyFrom", result.from()).json("notStarted", preview.whyNotStarted());
    Plan presetup = preview.presetup().orElse(null);
    if (presetup == null) {
      shown.both("noPresetup", preview.whyNoPresetup(), "  nothing is sent early: %s%n");
    } else {
      shown
          .text("  early, from %s: %s%n", result.from(), count(presetup))
          .both("presetup", plan(presetup));
    }
    shown
        .text("  in the stop window: %s%n", count(preview.stopWindow()))
        .both("stopWindow", plan(preview.stopWindow()));
    if (!preview.whyNotStarted().isEmpty()) {
      shown.text("    the device is not started: %s%n", preview.whyNotStarted());
    }
    return shown
        .text("  without presetup the window would have %s%n", count(preview.withoutPresetup()))
        .json("withoutPresetup", plan(preview.withoutPresetup()));
  }

  private static Shown plan(Plan plan) {
    PlanPreviewTraffic traffic = PlanPreviewTraffic.of(plan);
    return new Shown()
        .json("messages", traffic.messages())
        .json("awaitedReplies", traffic.replies())
        .both("steps", plan.steps(), PlanCommand::step);
  }

  private static Shown step(PlannedStep step) {
    return new Shown()
        .text("    %s%n", step.describe())
        .json("field", step.field())
        .json("before", step.before() == null ? null : step.before().toString())
        .json("after", step.after() == null ? null : step.after().toString())
        .json("why", step.why().text());
  }

  private static String count(Plan plan) {
    if (!(plan.capabilities().protocol() instanceof BackEndProtocol.VhostUser)) {
      int steps = plan.steps().size();
      return "%d step%s of the kernel".formatted(steps, steps == 1 ? "" : "s");
    }
    PlanPreviewTraffic traffic = PlanPreviewTraffic.of(plan);
    return "%d message%s, %d repl%s awaited"
        .formatted(
            traffic.messages(),
            traffic.messages() == 1 ? "" : "s",
            traffic.replies(),
            traffic.replies() == 1 ? "y" : "ies");
  }
}
