package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.stream.Stream;

/** The command for tests of other packages. */
public final class CommandLines {
  private CommandLines() {}

  /** What {@code demo --json} prints with these options. */
  public static String demoJson(String... options) {
    return printed(
        Stream.concat(Stream.of("demo", "--json"), Stream.of(options)).toArray(String[]::new));
  }

  /** What a command that works prints. */
  public static String printed(String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code = Jvhost.execute(new PrintWriter(out), new PrintWriter(err), args);
    assertThat(code).as(err.toString()).isZero();
    return out.toString();
  }
}
