package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command. Exit codes: 0 done, 1 it did not work, 2 the command line is wrong. */
@Command(
    name = "jvhost",
    mixinStandardHelpOptions = true,
    version = "jvhost 0.1.0-SNAPSHOT",
    description = "A vhost-user front end for the JVM, and what shows what it does.",
    footer = {
      "",
      "'jvhost COMMAND --help' explains one.",
      "For completion in bash or zsh: source <(jvhost completion)"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "1:it did not work", "2:the command line is wrong"},
    subcommands = {
      BenchCommand.class,
      CompletionCommand.class,
      DemoCommand.class,
      MockBackEndCommand.class,
      PlanCommand.class,
      ProbeCommand.class,
      ProxyCommand.class,
      ReportCommand.class,
      TraceCommand.class,
      VmStateCommand.class
    })
public final class Jvhost implements Runnable {
  @Spec private CommandSpec spec;

  /** For picocli. */
  @SuppressWarnings("NullAway.Init") // picocli sets the field
  public Jvhost() {}

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(execute(args));
  }

  /** Runs the command and returns its exit code. */
  static int execute(String... args) {
    return execute(new CommandLine(new Jvhost()), args);
  }

  /** The same with what is printed going elsewhere. */
  static int execute(PrintWriter out, PrintWriter err, String... args) {
    return execute(new CommandLine(new Jvhost()).setOut(out).setErr(err), args);
  }

  private static int execute(CommandLine command, String... args) {
    // Logging is for those who ask for it; errors come as one line of our own.
    if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
    }
    return command
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((e, commandLine, _) -> failed(e, commandLine))
        .setParameterExceptionHandler((e, _) -> misused(e))
        .execute(args);
  }

  /** One line, not the page of help behind which it would disappear. */
  private static int misused(ParameterException e) {
    PrintWriter err = e.getCommandLine().getErr();
    String name = e.getCommandLine().getCommandSpec().qualifiedName();
    err.println("jvhost: %s (see %s --help)".formatted(e.getMessage(), name));
    err.flush();
    return CommandLine.ExitCode.USAGE;
  }

  private static int failed(Exception e, CommandLine commandLine) {
    PrintWriter err = commandLine.getErr();
    if (e instanceof VhostException) {
      err.println("jvhost: " + e.getMessage());
    } else {
      // Not foreseen: one line all the same, with the place, so that it can be reported.
      StackTraceElement[] trace = e.getStackTrace();
      String at = trace.length == 0 ? "" : " at " + trace[0];
      err.println("jvhost: internal error, please report it: " + e + at);
    }
    err.flush();
    return CommandLine.ExitCode.SOFTWARE;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Say what to do: " + String.join(", ", spec.subcommands().keySet()));
  }
}
