package io.github.jvhost.cli;

import io.github.jvhost.bench.BenchRow;
import io.github.jvhost.bench.Effort;
import io.github.jvhost.bench.SavedStateBench;
import io.github.jvhost.bench.WindowBench;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jvhost bench}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = {
      "Measures what this library costs, as ratios to something else that is timed in the same"
          + " run.",
      "Exit code 0, whether the goals are met or not."
    })
final class BenchCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--quick", description = "Fewer rounds.")
  private boolean quick;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  BenchCommand() {}

  @Override
  public Integer call() {
    Effort effort = quick ? Effort.QUICK : Effort.FULL;
    List<BenchRow> rows = new ArrayList<>(new SavedStateBench().run(effort));
    rows.addAll(new WindowBench().run(effort, (_, _) -> {}));
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(
          out,
          members -> {
            members.writeArrayFieldStart("rows");
            for (BenchRow row : rows) {
              members.writeStartObject();
              members.writeStringField("name", row.name());
              members.writeStringField("goal", row.goal());
              members.writeStringField("measured", row.measured());
              members.writeNumberField("ratio", row.ratio());
              members.writeBooleanField("holds", row.holds());
              members.writeEndObject();
            }
            members.writeEndArray();
          });
      return 0;
    }
    for (BenchRow row : rows) {
      out.println(
          "%-70s %-14s %5.2f times  %-5s  (%s)"
              .formatted(
                  row.name(),
                  row.goal(),
                  row.ratio(),
                  row.holds() ? "holds" : "MISS",
                  row.measured()));
    }
    out.flush();
    return 0;
  }
}
