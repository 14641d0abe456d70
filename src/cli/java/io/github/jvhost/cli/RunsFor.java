package io.github.jvhost.cli;

import io.github.jvhost.sys.Deadline;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How long a command runs that otherwise runs until it is interrupted. */
final class RunsFor {
  @Option(
      names = "--for",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description = "End by itself after 200ms, 10s, 5m.")
  private @Nullable TimeSpan bound;

  /** {@return when it ends, counted from now; without the option in a year} */
  Deadline end() {
    return Deadline.after(bound == null ? TimeSpan.LONGEST : bound.duration());
  }
}
