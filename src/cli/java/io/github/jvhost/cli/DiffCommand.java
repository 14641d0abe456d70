package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.vhost.PlanPreview;
import io.github.jvhost.vhost.PlanPreviewBackEnd;
import io.github.jvhost.vhost.PlanPreviewTraffic;
import io.github.jvhost.vmstate.StateDifference;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost vmstate diff}. */
@Command(
    name = "diff",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        """
        Shows what changed in the virtio-net devices between two migration streams, by field, and \
        what telling a back end would cost in the stop window if A was told early and the guest \
        goes on with B: messages, and replies that are waited for.\
        """,
    footer = {"", "  jvhost vmstate diff before.gz after.gz"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:both could be read, whether something changed or not",
      "1:one could not be read",
      "2:the command line is wrong"
    })
final class DiffCommand implements Callable<Integer> {
  private static final List<PlanPreviewBackEnd> BACK_ENDS =
      List.of(
          PlanPreviewBackEnd.explicit(Dialect.RFC_2023),
          PlanPreviewBackEnd.dpdk(),
          PlanPreviewBackEnd.generic());

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "A", description = "The earlier stream.")
  private String before;

  @Parameters(index = "1", paramLabel = "B", description = "The later stream; one may be -.")
  private String after;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  DiffCommand() {}

  /** What a back end would be told; the reason instead where nothing can be planned. */
  private record Cost(PlanPreviewBackEnd backEnd, @Nullable PlanPreview preview, String reason) {}

  @Override
  public Integer call() {
    Words.onlyOneStandardInput(spec, before, after);
    SavedMachine from = SavedMachine.read(before, System.in);
    SavedMachine to = SavedMachine.read(after, System.in);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, members -> write(members, from, to));
      return 0;
    }
    for (String path : paths(from, to)) {
      SavedMachine.Device old = from.device(path).orElse(null);
      SavedMachine.Device young = to.device(path).orElse(null);
      if (old == null || young == null) {
        out.println("%s: only in %s".formatted(path, old == null ? after : before));
      } else {
        print(
            path, StateDifference.between(old.state(), young.state()), costs(old, young, to), out);
      }
    }
    if (paths(from, to).isEmpty()) {
      out.println("no virtio-net devices");
    }
    out.flush();
    return 0;
  }

  private static Set<String> paths(SavedMachine from, SavedMachine to) {
    Set<String> paths = new LinkedHashSet<>();
    from.devices().forEach(device -> paths.add(device.path()));
    to.devices().forEach(device -> paths.add(device.path()));
    return paths;
  }

  private static List<Cost> costs(
      SavedMachine.Device old, SavedMachine.Device young, SavedMachine machine) {
    return BACK_ENDS.stream()
        .map(backEnd -> {
          try {
            PlanPreviewMemory memory = PreviewedBackEnd.memory(machine, List.of());
            return new Cost(backEnd, PreviewedBackEnd.preview(young, old, backEnd, memory), "");
          } catch (VhostException e) {
            return new Cost(backEnd, null, String.valueOf(e.getMessage()));
          }
        })
        .toList();
  }

  private static void print(
      String path, List<StateDifference> differences, List<Cost> costs, PrintWriter out) {
    out.println(
        differences.isEmpty()
            ? path + ": nothing changed"
            : "%s: %d field%s changed"
                .formatted(path, differences.size(), differences.size() == 1 ? "" : "s"));
    differences.forEach(difference -> out.println("  " + difference.describe()));
    Set<String> idle = new LinkedHashSet<>();
    costs.forEach(cost -> idle.add(cost.preview() == null ? "" : cost.preview().whyNotStarted()));
    if (idle.size() == 1 && !idle.contains("")) {
      out.println("  no back end would be told anything: " + idle.iterator().next());
      return;
    }
    out.println("  messages in the stop window              A told early     nothing told early");
    for (Cost cost : costs) {
      out.println("    %-36s %s".formatted(cost.backEnd().name() + " back end", text(cost)));
    }
  }

  private static String text(Cost cost) {
    PlanPreview preview = cost.preview();
    if (preview == null) {
      return "no plan: " + cost.reason();
    }
    String early = count(PlanPreviewTraffic.of(preview.stopWindow()));
    String late = count(PlanPreviewTraffic.of(preview.withoutPresetup()));
    return early
        + late
        + remark("not told early", preview.whyNoPresetup())
        + remark("not started", preview.whyNotStarted());
  }

  private static String count(PlanPreviewTraffic traffic) {
    return "%3d, %2d awaited  ".formatted(traffic.messages(), traffic.replies());
  }

  private static String remark(String what, String why) {
    return why.isEmpty() ? "" : " (%s: %s)".formatted(what, why);
  }

  private void write(JsonGenerator json, SavedMachine from, SavedMachine to) throws IOException {
    json.writeStringField("before", before);
    json.writeStringField("after", after);
    json.writeArrayFieldStart("devices");
    for (String path : paths(from, to)) {
      SavedMachine.Device old = from.device(path).orElse(null);
      SavedMachine.Device young = to.device(path).orElse(null);
      json.writeStartObject();
      json.writeStringField("path", path);
      json.writeBooleanField("inBefore", old != null);
      json.writeBooleanField("inAfter", young != null);
      if (old != null && young != null) {
        changes(json, StateDifference.between(old.state(), young.state()));
        costs(json, costs(old, young, to));
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void changes(JsonGenerator json, List<StateDifference> differences)
      throws IOException {
    json.writeArrayFieldStart("changes");
    for (StateDifference difference : differences) {
      json.writeStartObject();
      json.writeStringField("field", difference.field());
      json.writeFieldName("before");
      SavedFieldsJson.valueOrNull(json, difference.before());
      json.writeFieldName("after");
      SavedFieldsJson.valueOrNull(json, difference.after());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void costs(JsonGenerator json, List<Cost> costs) throws IOException {
    json.writeArrayFieldStart("costs");
    for (Cost cost : costs) {
      json.writeStartObject();
      json.writeStringField("backEnd", cost.backEnd().name());
      PlanPreview preview = cost.preview();
      if (preview == null) {
        json.writeStringField("noPlan", cost.reason());
      } else {
        PlanJson.traffic(json, "stopWindow", preview.stopWindow());
        PlanJson.traffic(json, "withoutPresetup", preview.withoutPresetup());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
