package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.HardwareModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Words on the command line that have the same meaning in every command. */
final class Words {
  /** The dialects that have a name. */
  static final List<Dialect> DIALECTS =
      List.of(Dialect.UPSTREAM, Dialect.RFC_2023, Dialect.NVIDIA_QEMU_8_2);

  private static final Pattern NUMBERS = Pattern.compile("([0-9]{1,2}):([0-9]{1,6})");

  private Words() {}

  /** Returns an enum's constant as a word: "libvhost-user". */
  static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns a dialect as a word: "rfc-2023", "19:45". */
  static String label(Dialect dialect) {
    return dialect.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * Rejects the empty word, which would mean the current directory.
   *
   * @throws ParameterException when it is empty
   */
  static void requireNamed(CommandSpec spec, String what, Path path) {
    if (path.toString().isEmpty()) {
      throw new ParameterException(spec.commandLine(), what + ": the empty word is no file");
    }
  }

  /**
   * Rejects a path that no socket can have.
   *
   * @throws ParameterException when it is too long
   */
  static void requireSocketPath(CommandSpec spec, String what, Path path) {
    try {
      Connector.requireThatItFits(path, what + ": ");
    } catch (VhostException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  /**
   * Returns the candidate with this label.
   *
   * @throws ParameterException when it is none of the candidates' labels
   */
  static <T> T choose(
      CommandSpec spec, String option, String word, List<T> from, Function<T, String> label) {
    for (T candidate : from) {
      if (label.apply(candidate).equals(word.toLowerCase(Locale.ROOT))) {
        return candidate;
      }
    }
    throw new ParameterException(
        spec.commandLine(),
        "%s: '%s' is none of %s"
            .formatted(option, word, String.join(", ", from.stream().map(label).toList())));
  }

  /**
   * Returns the dialect for --dialect: a known one, or BIT:ID.
   *
   * @throws ParameterException when it is neither
   */
  static Dialect dialect(CommandSpec spec, String word) {
    Matcher numbers = NUMBERS.matcher(word);
    if (!numbers.matches()) {
      for (Dialect dialect : DIALECTS) {
        if (label(dialect).equals(word.toLowerCase(Locale.ROOT))) {
          return dialect;
        }
      }
      throw new ParameterException(
          spec.commandLine(),
          "--dialect: '%s' is none of %s, BIT:ID"
              .formatted(word, String.join(", ", DIALECTS.stream().map(Words::label).toList())));
    }
    try {
      return Dialect.custom(
          word, Integer.parseInt(numbers.group(1)), Integer.parseInt(numbers.group(2)));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--dialect: " + e.getMessage());
    }
  }

  /**
   * Checks that standard input is read only once.
   *
   * @throws ParameterException when both files are "-"
   */
  static void onlyOneStandardInput(CommandSpec spec, String file, @Nullable String other) {
    if (file.equals("-") && "-".equals(other)) {
      throw new ParameterException(spec.commandLine(), "standard input (-) can be read only once");
    }
  }

  /** Returns the price list for --hardware-model. */
  static HardwareModel hardware(String word) {
    return switch (word) {
      case "rfc" -> HardwareModel.rfc();
      case "locked-memory" -> HardwareModel.lockedMemory();
      case "none" -> HardwareModel.none();
      default -> HardwareModel.fromFile(Path.of(word));
    };
  }
}
