package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.vhost.Plan;
import io.github.jvhost.vhost.PlanPreview;
import io.github.jvhost.vhost.PlanPreviewBackEnd;
import io.github.jvhost.vhost.PlanPreviewMemory;
import io.github.jvhost.vhost.PlanPreviewTraffic;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
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
      Shows what a back end would be told, early and in the stop window, if the virtio-net devices \
      of a migration stream arrived here. Nothing is connected and nothing sent.\
      """,
      ""
    },
    footer = {
      "",
      """
      Assumed, because no stream says it: the back end; that it takes what it is told; that \
      nothing is in flight (each split ring's used index is its next index); that no dirty log is \
      on before the window is over; where guest memory lies, which is taken from the machine's \
      name.\
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
          An earlier stream of the same machine, from which back ends are set up early. \
          Without it that is done from the early section that FILE itself has of a device, or \
          else from the same state.\
          """)
  private @Nullable String early;

  @Option(
      names = "--back-end",
      paramLabel = "KIND",
      completionCandidates = Candidates.PlanBackEnds.class,
      description =
          "Which back end is assumed: explicit (it knows PRESETUP), dpdk, generic (default:"
              + " explicit).")
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
      paramLabel = "SIZE",
      converter = ByteSize.Converter.class,
      description = "How much RAM the guest has: 512M, 4G (default: the stream's largest block).")
  private @Nullable ByteSize memorySize;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  PlanCommand() {}

  /**
   * What came of a device.
   *
   * @param from where the early state is from, for people
   * @param preview null where none could be made
   * @param reason why there is none
   */
  private record Result(
      SavedMachine.Device device, String from, @Nullable PlanPreview preview, String reason) {}

  @Override
  public Integer call() {
    if (memorySize != null && memorySize.bytes() < PAGE) {
      throw new ParameterException(
          spec.commandLine(), "--memory: a page of 4096 bytes at least, not " + memorySize.bytes());
    }
    PlanPreviewBackEnd backEnd = backEnd();
    Words.onlyOneStandardInput(spec, file, early);
    SavedMachine machine = SavedMachine.read(file, System.in);
    SavedMachine earlier = early == null ? null : SavedMachine.read(early, System.in);
    PlanPreviewMemory memory = PreviewedBackEnd.memory(machine, memorySize);
    List<Result> results = new ArrayList<>();
    for (SavedMachine.Device device : machine.devices()) {
      results.add(result(machine, earlier, device, backEnd, memory));
    }
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, members -> write(members, backEnd, memory, results));
    } else {
      print(out, machine, backEnd, memory, results);
    }
    return results.stream().allMatch(result -> result.preview() != null) ? 0 : 1;
  }

  private PlanPreviewBackEnd backEnd() {
    return switch (Words.choose(
        spec, "--back-end", kind, List.of("explicit", "dpdk", "generic"), word -> word)) {
      case "dpdk" -> PlanPreviewBackEnd.dpdk();
      case "generic" -> PlanPreviewBackEnd.generic();
      default -> {
        Dialect numbers = Words.dialect(spec, dialect);
        if (!numbers.hasPresetup()) {
          throw new ParameterException(
              spec.commandLine(), "--dialect: '%s' has no PRESETUP".formatted(dialect));
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
      PlanPreviewMemory memory) {
    SavedMachine.Device first;
    String from;
    if (earlier != null) {
      first = earlier.device(device.path()).orElse(null);
      from = first == null ? early + " does not have it" : "the state in " + early;
    } else {
      first = machine.earlyOf(device).orElse(null);
      from = first == null ? "the same state" : "section " + first.header().idstr();
    }
    try {
      PlanPreview preview = PreviewedBackEnd.preview(device, first, backEnd, memory);
      return new Result(device, from, preview, "");
    } catch (VhostException e) {
      return new Result(device, from, null, String.valueOf(e.getMessage()));
    }
  }

  private static void print(
      PrintWriter out,
      SavedMachine machine,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory memory,
      List<Result> results) {
    out.println(machine.describe());
    out.println(
        "assumed: back end %s, guest memory of %s; see --help"
            .formatted(backEnd.name(), memory.describe()));
    if (results.isEmpty()) {
      out.println("no virtio-net devices");
    }
    for (Result result : results) {
      out.println();
      PlanPreview preview = result.preview();
      if (preview == null) {
        out.println("%s: no plan: %s".formatted(result.device().path(), result.reason()));
        continue;
      }
      out.println(result.device().path());
      Plan presetup = preview.presetup().orElse(null);
      if (presetup == null) {
        out.println("  nothing is told early: " + preview.whyNoPresetup());
      } else {
        plan(out, "early, from " + result.from(), presetup);
      }
      plan(out, "in the stop window", preview.stopWindow());
      if (!preview.whyNotStarted().isEmpty()) {
        out.println("    the device is not started: " + preview.whyNotStarted());
      }
      out.println(
          "  without early set-up the window would have " + count(preview.withoutPresetup()));
    }
    out.flush();
  }

  private static void plan(PrintWriter out, String when, Plan plan) {
    out.println("  %s: %s".formatted(when, count(plan)));
    plan.steps().forEach(step -> out.println("    " + step.describe()));
  }

  private static String count(Plan plan) {
    PlanPreviewTraffic traffic = PlanPreviewTraffic.of(plan);
    return "%d message%s, %d repl%s awaited"
        .formatted(
            traffic.messages(),
            traffic.messages() == 1 ? "" : "s",
            traffic.replies(),
            traffic.replies() == 1 ? "y" : "ies");
  }

  private void write(
      JsonGenerator json,
      PlanPreviewBackEnd backEnd,
      PlanPreviewMemory memory,
      List<Result> results)
      throws IOException {
    json.writeStringField("stream", file);
    json.writeStringField("backEnd", backEnd.name());
    json.writeArrayFieldStart("memory");
    for (PlanPreviewMemory.Region region : memory.regions()) {
      json.writeStartObject();
      json.writeStringField("address", "0x" + Long.toHexString(region.address()));
      json.writeNumberField("bytes", region.size());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("devices");
    for (Result result : results) {
      json.writeStartObject();
      json.writeStringField("path", result.device().path());
      PlanPreview preview = result.preview();
      if (preview == null) {
        json.writeStringField("noPlan", result.reason());
      } else {
        json.writeStringField("earlyFrom", result.from());
        json.writeStringField("notStarted", preview.whyNotStarted());
        Plan presetup = preview.presetup().orElse(null);
        if (presetup == null) {
          json.writeStringField("noPresetup", preview.whyNoPresetup());
        } else {
          PlanJson.plan(json, "presetup", presetup);
        }
        PlanJson.plan(json, "stopWindow", preview.stopWindow());
        PlanJson.plan(json, "withoutPresetup", preview.withoutPresetup());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
