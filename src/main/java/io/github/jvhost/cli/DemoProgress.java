package io.github.jvhost.cli;

import io.github.jvhost.testkit.scenario.ScenarioProgress;
import io.github.jvhost.testkit.scenario.Variant;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Optional;

/** Progress for people: one line that rewrites itself on a terminal, plain lines elsewhere. */
final class DemoProgress implements ScenarioProgress, AutoCloseable {
  private static final String CLEAR_LINE = "\r\u001b[K";

  private final PrintWriter out;
  private final boolean terminal;

  private DemoProgress(PrintWriter out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  static DemoProgress to(PrintWriter out) {
    // A JDK may give a console that is none, or none at all.
    boolean terminal = Optional.ofNullable(System.console()).map(Console::isTerminal).orElse(false);
    return new DemoProgress(out, terminal);
  }

  @Override
  public synchronized void at(Variant variant, String what) {
    String line = "%-13s  %s".formatted(variant.label(), what);
    if (terminal) {
      out.print(CLEAR_LINE + line);
    } else {
      out.println(line);
    }
    out.flush();
  }

  @Override
  public synchronized void close() {
    if (terminal) {
      out.print(CLEAR_LINE);
      out.flush();
    }
  }
}
