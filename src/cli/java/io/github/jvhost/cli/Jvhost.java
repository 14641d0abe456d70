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
  private static final Pattern CONTROL = Pattern.compile("\\p{Cntrl}");

  private static final String CAPABILITIES = "--print-capabilities";

  @Spec private CommandSpec spec;

  /** For picocli. */
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
    // Logging is for those who ask for it; errors come as one line of our own.
    if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
    }
    return new CommandLine(new Jvhost())
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler((e, commandLine, _) -> failed(e, commandLine))
        .setParameterExceptionHandler((e, _) -> misused(e))
        .execute(asksForCapabilities(args) ? new String[] {args[0], CAPABILITIES} : args);
  }

  /** vhost-user's conventions: whatever else is said is ignored, what makes no sense included. */
  private static boolean asksForCapabilities(String... args) {
    List<String> words = List.of(args);
    return words.indexOf("mock-back-end") == 0 && words.contains(CAPABILITIES);
  }

  /** One line, not the page of help behind which it would disappear. */
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
      // Not foreseen: one line all the same, with the place, so that it can be reported.
      StackTraceElement[] trace = e.getStackTrace();
      String at = trace.length == 0 ? "" : " at " + trace[0];
      say(command, "internal error, please report it: " + e + at);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** On one line, whatever is in a name that was typed or read. */
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
