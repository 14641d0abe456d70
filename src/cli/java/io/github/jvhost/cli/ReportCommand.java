package io.github.jvhost.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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
      "Makes a page for a browser from the output of 'jvhost demo --json', or a flight recording.",
      """
      Of a demo it shows the downtime of each way, a time line of every message on both hosts, \
      the plans with their reasons, the pings' gaps. Of a recording, of a mediator or any program \
      with the library, it shows when each device was preset, started and moved, and with which \
      messages. The page is one file that needs no network.\
      """,
      "",
      "  jvhost demo --json > run.json",
      "  jvhost report run.json -o report.html",
      "  JDK_JAVA_OPTIONS=-XX:StartFlightRecording:filename=m.jfr jvhost mediate ...",
      "  jvhost report m.jfr -o report.html",
      "",
      "'jvhost demo --report report.html' is the first two in one.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the page is written",
      "1:SOURCE is neither or has nothing to show, or FILE cannot be written",
      "2:the command line is wrong"
    })
final class ReportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "SOURCE",
      description = "What the demo printed, or a recording; - is standard input.")
  private String run;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "Where the page goes; - is standard output.")
  private String file;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ReportCommand() {}

  @Override
  public Integer call() {
    boolean toFile = !file.equals("-");
    if (output.isJson() && !toFile) {
      throw new ParameterException(
          spec.commandLine(), "--json: standard output is the page's already (-o -)");
    }
    if (toFile) {
      if (isSame(run, file)) {
        throw new ParameterException(
            spec.commandLine(), "-o: the page would take the place of the run that it is made of");
      }
      OutputFile.requireWritable(Path.of(file));
    }
    String page = ReportFile.page(run);
    if (toFile) {
      OutputFile.write(page, Path.of(file));
      output.print(
          new Shown()
              .json("run", run)
              .json("report", file)
              .json("bytes", page.getBytes(StandardCharsets.UTF_8).length));
    } else {
      output.print(new Shown().text("%s", page));
    }
    return 0;
  }

  private static boolean isSame(String run, String file) {
    try {
      return !run.equals("-") && Files.isSameFile(Path.of(run), Path.of(file));
    } catch (IOException e) {
      return false; // one of the files does not exist
    }
  }
}
