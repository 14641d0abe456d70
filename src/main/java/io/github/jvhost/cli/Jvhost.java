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
    subcommands = DemoCommand.class)
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
    // Logging is for those who ask for it; errors come as one line of our own.
    if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
    }
    return new CommandLine(new Jvhost())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((e, commandLine, _) -> failed(e, commandLine))
        .execute(args);
  }

  private static int failed(Exception e, CommandLine commandLine) {
    PrintWriter err = commandLine.getErr();
    boolean ours = e instanceof VhostException;
    err.println("jvhost: " + (ours ? e.getMessage() : "internal error: " + e));
    if (!ours) {
      e.printStackTrace(err);
    }
    err.flush();
    return CommandLine.ExitCode.SOFTWARE;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: demo");
  }
}
