package io.github.jvhost.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost report}. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Makes a page for a browser of what 'jvhost demo --json' printed: the downtime of each way,",
      "a time line of every message on both hosts, the plans with their reasons, the pings' gaps.",
      "The page is one file that needs no network.",
      "",
      "  jvhost demo --json > run.json",
      "  jvhost report run.json -o report.html",
      "",
      "'jvhost demo --report report.html' does both."
    })
final class ReportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "RUN.json", description = "What the demo printed; - is standard input.")
  private String run;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "Where the page goes; - is standard output.")
  private String output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ReportCommand() {}

  @Override
  public Integer call() {
    boolean toFile = !output.equals("-");
    if (toFile) {
      ReportFile.requireWritable(Path.of(output));
    }
    String page = ReportFile.page(run);
    if (!toFile) {
      PrintWriter out = spec.commandLine().getOut();
      out.print(page);
      out.flush();
    } else {
      ReportFile.write(page, Path.of(output));
    }
    return 0;
  }
}
