package io.github.jvhost.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Prints the output of a command as text, or as JSON with {@code --json}. */
final class Output {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  Output() {}

  boolean isJson() {
    return json;
  }

  void print(Shown shown) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonText.print(out, shown);
    } else {
      shown.printText(out);
      out.flush();
    }
  }

  /** Returns the writer for messages that come before the result. */
  PrintWriter messages() {
    return json ? spec.commandLine().getErr() : spec.commandLine().getOut();
  }

  /** Prints on standard error that the command is ready. */
  void announce(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
