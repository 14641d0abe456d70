package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import java.io.PrintWriter;
import java.util.List;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command. Exit codes: 0 for success, 1 for a failure, 2 for a wrong command line. */
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
      KeepCommand.class,
      MediateCommand.class,
      MockBackEndCommand.class,
      PlanCommand.class,
      ProbeCommand.class,
      ProxyCommand.class,
      ReportCommand.class,
      TraceCommand.class,
      VmStateCommand.class
    })
public final class Jvhost implements Runnable {
  private static final Pattern CONTROL = Pattern.compile("\\p{Cntrl}");

  private static final String CAPABILITIES = "--print-capabilities";

  @Spec private CommandSpec spec;

  /** Called by picocli. */
  @SuppressWarnings("NullAway.Init") // picocli sets the field
  public Jvhost() {}

  /** Runs the command and exits. */
  public static void main(String[] args) {
    var standardOutput = new StandardOutput();
    var out = new PrintWriter(standardOutput, false, System.out.charset());
    var err = new PrintWriter(System.err, true, System.err.charset());
    int code = execute(out, err, args);
    out.flush();
    if (standardOutput.failure().isPresent()) {
      err.println("jvhost: writing to standard output: " + standardOutput.failure().get());
      code = CommandLine.ExitCode.SOFTWARE;
    }
    System.exit(code);
  }

  /** Runs the command and returns its exit code. */
  static int execute(PrintWriter out, PrintWriter err, String... args) {
    // Logging is off unless the user asks for it: the command prints an error as one line. Only a
    // mediator is a service, and its log says when a guest or a switch comes and goes.
    if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
      boolean service = args.length > 0 && args[0].equals("mediate");
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", service ? "info" : "error");
    }
    return new CommandLine(new Jvhost())
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler((e, commandLine, _) -> failed(e, commandLine))
        .setParameterExceptionHandler((e, _) -> misused(e))
        .execute(asksForCapabilities(args) ? new String[] {args[0], CAPABILITIES} : args);
  }

  /**
   * Returns true if --print-capabilities is given. By vhost-user's conventions all other arguments
   * are then ignored, invalid ones too.
   */
  private static boolean asksForCapabilities(String... args) {
    List<String> words = List.of(args);
    return words.indexOf("mock-back-end") == 0 && words.contains(CAPABILITIES);
  }

  /** Prints one line, because a page of help would hide it. */
  private static int misused(ParameterException e) {
    CommandLine command = e.getCommandLine();
    String name = command.getCommandSpec().qualifiedName();
    say(command, "%s (see %s --help)".formatted(sentence(e), name));
    return CommandLine.ExitCode.USAGE;
  }

  private static String sentence(ParameterException e) {
    boolean needsCommand = !e.getCommandLine().getSubcommands().isEmpty();
    if (e instanceof UnmatchedArgumentException unmatched && needsCommand) {
      String word = unmatched.getUnmatched().getFirst();
      List<String> alike = unmatched.getSuggestions();
      return "there is no command '%s'%s"
          .formatted(word, alike.isEmpty() ? "" : ", but " + String.join(", ", alike));
    }
    return String.valueOf(e.getMessage()).replace("is not an int", "is no number, or out of range");
  }

  private static int failed(Exception e, CommandLine command) {
    if (e instanceof VhostException) {
      say(command, String.valueOf(e.getMessage()));
    } else {
      // An unexpected error is also one line. It names the place, so that the user can report it.
      StackTraceElement[] trace = e.getStackTrace();
      String at = trace.length == 0 ? "" : " at " + trace[0];
      say(command, "internal error, please report it: " + e + at);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /**
   * Prints a sentence on one line. Replaces control characters, which may come from names that were
   * typed or read.
   */
  private static void say(CommandLine command, String sentence) {
    PrintWriter err = command.getErr();
    err.println("jvhost: " + CONTROL.matcher(sentence).replaceAll("?"));
    err.flush();
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Say what to do: " + String.join(", ", spec.subcommands().keySet()));
  }
}
