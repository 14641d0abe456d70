package io.github.jvhost.cli;

import io.github.jvhost.testkit.scenario.ScenarioProgress;
import io.github.jvhost.testkit.scenario.Variant;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Shows the progress on a terminal, in one line that is rewritten. Prints nothing if standard error
 * is no terminal.
 */
final class DemoProgress implements ScenarioProgress, AutoCloseable {
  private static final String CLEAR_LINE = "\r\u001b[K";
  private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

  private final PrintWriter err;
  private final boolean terminal;

  private DemoProgress(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
  }

  /** Returns a progress line on this process's standard error. */
  static DemoProgress to(PrintWriter err) {
    return new DemoProgress(err, isTerminal(STANDARD_ERROR));
  }

  /**
   * Returns true if this descriptor is a terminal. {@link java.io.Console} does not help: it checks
   * standard input and output, which may be files while progress is wanted on standard error.
   */
  static boolean isTerminal(Path descriptor) {
    try {
      String file = Files.readSymbolicLink(descriptor).toString();
      return file.startsWith("/dev/pts/")
          || file.startsWith("/dev/tty")
          || file.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public synchronized void at(Variant variant, String what) {
    if (terminal) {
      err.print(CLEAR_LINE + "%-13s  %s".formatted(variant.label(), what));
      err.flush();
    }
  }

  @Override
  public synchronized void close() {
    if (terminal) {
      err.print(CLEAR_LINE);
      err.flush();
    }
  }
}
