package io.github.jvhost.cli;

import io.github.jvhost.testkit.scenario.ScenarioProgress;
import io.github.jvhost.testkit.scenario.Variant;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/** Progress for people: one line that rewrites itself on a terminal, nothing elsewhere. */
final class DemoProgress implements ScenarioProgress, AutoCloseable {
  private static final String CLEAR_LINE = "\r\u001b[K";
  private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

  private final PrintWriter err;
  private final boolean terminal;

  private DemoProgress(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
  }

  /** To this process's standard error. */
  static DemoProgress to(PrintWriter err) {
    return new DemoProgress(err, isTerminal(STANDARD_ERROR));
  }

  /**
   * Whether this descriptor is a terminal. {@link java.io.Console} does not tell: it looks at
   * standard input and output, which may well be files while progress is wanted.
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
