package io.github.jvhost.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost report}. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Makes a page for a browser of what 'jvhost demo --json' printed.",
      """
      It shows the downtime of each way, a time line of every message on both hosts, the plans \
      with their reasons, the pings' gaps. The page is one file that needs no network.\
      """,
      "",
      "  jvhost demo --json > run.json",
      "  jvhost report run.json -o report.html",
      "",
      "'jvhost demo --report report.html' does both.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the page is written",
      "1:RUN.json is no run, or FILE cannot be written",
      "2:the command line is wrong"
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

  @Option(names = "--json", description = "Print what was written as one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ReportCommand() {}

  @Override
  public Integer call() {
    boolean toFile = !output.equals("-");
    if (json && !toFile) {
      throw new ParameterException(
          spec.commandLine(), "--json: standard output is the page's already (-o -)");
    }
    if (toFile) {
      if (isSame(run, output)) {
        throw new ParameterException(
            spec.commandLine(), "-o: the page would take the place of the run that it is made of");
      }
      OutputFile.requireWritable(Path.of(output));
    }
    String page = ReportFile.page(run);
    PrintWriter out = spec.commandLine().getOut();
    if (!toFile) {
      out.print(page);
      out.flush();
      return 0;
    }
    OutputFile.write(page, Path.of(output));
    if (json) {
      JsonText.print(
          out,
          members -> {
            members.writeStringField("run", run);
            members.writeStringField("report", output);
            members.writeNumberField("bytes", page.getBytes(StandardCharsets.UTF_8).length);
          });
    }
    return 0;
  }

  private static boolean isSame(String run, String output) {
    try {
      return !run.equals("-") && Files.isSameFile(Path.of(run), Path.of(output));
    } catch (IOException e) {
      return false; // one of them is not there
    }
  }
}
