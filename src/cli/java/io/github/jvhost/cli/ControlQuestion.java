package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.mediate.ControlClient;
import io.github.jvhost.report.Json;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Questions to a mediator that runs: words of the command line there, and JSON back. */
final class ControlQuestion {
  /** A mediator answers within a second, and a NIC that is busy within another. */
  static final Duration USUAL = Duration.ofSeconds(10);

  /** The word of standby for no switch. */
  static final String NONE = "none";

  private static final String LISTEN = "listen:";

  private ControlQuestion() {}

  /**
   * Asks.
   *
   * @throws VhostException with the mediator's sentence if it says no, or if nobody answers
   */
  static Json ask(Path control, String request, Duration within) {
    String line = ControlClient.ask(control, request, within, DescriptorLedger.counting());
    Json answer = Json.of(line, "mediator " + control);
    if (!answer.at("ok").truth()) {
      throw new VhostException(answer.at("error").text(), Recovery.GIVE_UP);
    }
    return answer;
  }

  /**
   * Returns a NIC's name as a word of a request.
   *
   * @throws ParameterException when it cannot be one
   */
  static String nic(CommandSpec spec, String name) {
    return word(spec, "NIC", name);
  }

  /**
   * Returns a switch's address as a word of a request. The path becomes absolute, because the
   * mediator's working directory is another.
   *
   * @throws ParameterException when it cannot be one
   */
  static String address(CommandSpec spec, String text) {
    if (text.equals(NONE)) {
      throw new ParameterException(
          spec.commandLine(), "SWITCH: a switch belongs here; ./none is a socket of that name");
    }
    boolean listens = text.startsWith(LISTEN);
    try {
      Path path = Path.of(listens ? text.substring(LISTEN.length()) : text);
      Words.requireNamed(spec, "SWITCH", path);
      Path absolute = path.toAbsolutePath();
      Words.requireSocketPath(spec, "SWITCH", absolute);
      return word(spec, "SWITCH", (listens ? LISTEN : "") + absolute);
    } catch (InvalidPathException e) {
      throw new ParameterException(
          spec.commandLine(), "SWITCH: this is no path: " + e.getReason(), e);
    }
  }

  private static String word(CommandSpec spec, String what, String text) {
    if (text.isEmpty() || text.chars().anyMatch(c -> c <= ' ')) {
      throw new ParameterException(
          spec.commandLine(), "%s: '%s' is empty or has a space in it".formatted(what, text));
    }
    return text;
  }
}
