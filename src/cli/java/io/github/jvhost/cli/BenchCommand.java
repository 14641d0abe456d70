package io.github.jvhost.cli;

import io.github.jvhost.bench.Bench;
import io.github.jvhost.bench.BenchRow;
import io.github.jvhost.bench.ColdStartBench;
import io.github.jvhost.bench.DpdkBench;
import io.github.jvhost.bench.Effort;
import io.github.jvhost.bench.GroupStartBench;
import io.github.jvhost.bench.IommuBench;
import io.github.jvhost.bench.Machine;
import io.github.jvhost.bench.ManyDevicesBench;
import io.github.jvhost.bench.MediatedBench;
import io.github.jvhost.bench.MoveBench;
import io.github.jvhost.bench.PlannerBench;
import io.github.jvhost.bench.QemuBench;
import io.github.jvhost.bench.RatioPicture;
import io.github.jvhost.bench.SavedStateBench;
import io.github.jvhost.bench.SlowHardwareBench;
import io.github.jvhost.bench.SourceStopBench;
import io.github.jvhost.bench.SystemCallBench;
import io.github.jvhost.bench.WindowBench;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code jvhost bench}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        """
        Measures what this library costs, as ratios to something else that is timed in the same \
        run. If this machine lacks what a row needs, the row says so.\
        """,
    footer = {"", "  jvhost bench --quick", "  jvhost bench --save results"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it measured, whether the goals are met or not",
      "1:something could not be measured or saved",
      "2:the command line is wrong"
    })
final class BenchCommand implements Callable<Integer> {
  @Option(names = "--quick", description = "Fewer rounds.")
  private boolean quick;

  @Mixin private Output output;

  @Option(
      names = "--save",
      paramLabel = "DIR",
      description = "Write DIR/quick.json, or DIR/full.json, and a picture, DIR/ratios.svg.")
  private @Nullable Path save;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  BenchCommand() {}

  /** Returns the benchmarks in the order of docs/performance.md. */
  private static List<Bench> benches() {
    return List.of(
        new SavedStateBench(),
        new WindowBench(),
        new SourceStopBench(),
        new SlowHardwareBench(),
        new DpdkBench(),
        new IommuBench(),
        new QemuBench(),
        new MediatedBench(),
        new MoveBench(),
        new ColdStartBench(),
        new GroupStartBench(),
        new SystemCallBench(),
        new ManyDevicesBench(),
        new PlannerBench());
  }

  @Override
  public Integer call() {
    Effort effort = quick ? Effort.QUICK : Effort.FULL;
    List<BenchRow> rows = new ArrayList<>();
    for (Bench bench : benches()) {
      List<BenchRow> more = bench.run(effort);
      rows.addAll(more);
      if (!output.isJson()) {
        more.forEach(row -> output.print(BenchSummary.row(row)));
      }
    }
    Shown all = BenchSummary.of(Machine.thisOne(), rows);
    output.print(all);
    if (save != null) {
      save(save, all, rows);
    }
    return 0;
  }

  private void save(Path directory, Shown all, List<BenchRow> rows) {
    var text = new StringWriter();
    JsonText.print(new PrintWriter(text), all);
    try {
      Files.createDirectories(directory);
      Files.writeString(directory.resolve(quick ? "quick.json" : "full.json"), text.toString());
      Files.writeString(directory.resolve("ratios.svg"), RatioPicture.of(rows));
    } catch (IOException e) {
      throw OutputFile.failed(directory, e);
    }
  }
}
