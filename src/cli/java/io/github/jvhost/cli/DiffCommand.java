package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.preview.PlanPreview;
import io.github.jvhost.testkit.preview.PlanPreviewBackEnd;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.testkit.preview.PlanPreviewTraffic;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vmstate.StateDifference;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
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
        what it would cost in the stop window to send it to a back end if A was sent early and the guest \
        continues with B: messages, and replies that are awaited.\
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

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  DiffCommand() {}

  /** What a back end would be sent, or the reason why there is no plan. */
  private record Cost(PlanPreviewBackEnd backEnd, @Nullable PlanPreview preview, String reason) {}

  @Override
  public Integer call() {
    Words.onlyOneStandardInput(spec, before, after);
    SavedMachine from = SavedMachine.read(before, System.in);
    SavedMachine to = SavedMachine.read(after, System.in);
    List<String> paths =
        Stream.concat(from.devices().stream(), to.devices().stream())
            .map(SavedMachine.Device::path)
            .distinct()
            .toList();
    output.print(
        new Shown()
            .json("before", before)
            .json("after", after)
            .both("devices", paths, path -> device(path, from, to))
            .text(paths.isEmpty() ? "no virtio-net devices%n" : ""));
    return 0;
  }

  private Shown device(String path, SavedMachine from, SavedMachine to) {
    SavedMachine.Device old = from.device(path).orElse(null);
    SavedMachine.Device young = to.device(path).orElse(null);
    var shown =
        new Shown()
            .both("path", path, "%s: ")
            .json("inBefore", old != null)
            .json("inAfter", young != null);
    if (old == null || young == null) {
      return shown.text("only in %s%n", old == null ? after : before);
    }
    List<StateDifference> changes = StateDifference.between(old.state(), young.state());
    switch (changes.size()) {
      case 0 -> shown.text("nothing changed%n");
      case 1 -> shown.text("1 field changed%n");
      default -> shown.text("%d fields changed%n", changes.size());
    }
    shown.both("changes", changes, DiffCommand::change);
    List<Cost> costs = costs(old, young, to);
    List<String> idle =
        costs.stream()
            .map(cost -> cost.preview() == null ? "" : cost.preview().whyNotStarted())
            .distinct()
            .toList();
    if (idle.size() == 1 && !idle.contains("")) {
      return shown
          .text("  no back end would be sent anything: %s%n", idle.getFirst())
          .json("costs", costs, DiffCommand::cost);
    }
    return shown
        .text("  messages in the stop window              A sent early     nothing sent early%n")
        .both("costs", costs, DiffCommand::cost);
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

  private static Shown change(StateDifference change) {
    return new Shown()
        .json("field", change.field())
        .text("  %s%n", change.describe())
        .json("before", SavedFieldsSummary.json(change.before()))
        .json("after", SavedFieldsSummary.json(change.after()));
  }

  private static Shown cost(Cost cost) {
    var shown =
        new Shown()
            .json("backEnd", cost.backEnd().name())
            .text("    %-36s ", cost.backEnd().name() + " back end");
    PlanPreview preview = cost.preview();
    if (preview == null) {
      return shown.both("noPlan", cost.reason(), "no plan: %s%n");
    }
    return shown
        .both("stopWindow", traffic(preview.stopWindow()))
        .both("withoutPresetup", traffic(preview.withoutPresetup()))
        .text("%s", remark("not sent early", preview.whyNoPresetup()))
        .text("%s%n", remark("not started", preview.whyNotStarted()));
  }

  private static Shown traffic(Plan plan) {
    PlanPreviewTraffic traffic = PlanPreviewTraffic.of(plan);
    return new Shown()
        .both("messages", traffic.messages(), "%3d, ")
        .both("awaitedReplies", traffic.replies(), "%2d awaited  ");
  }

  private static String remark(String what, String why) {
    return why.isEmpty() ? "" : " (%s: %s)".formatted(what, why);
  }
}
