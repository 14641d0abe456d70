package io.github.jvhost.cli;

import io.github.jvhost.testkit.HardwareModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Words on the command line that mean the same in every command. */
final class Words {
  private Words() {}

  /** An enum's constant as people write it: "libvhost-user". */
  static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * What a word stands for.
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

  /** The price list behind --hardware-model. */
  static HardwareModel hardware(String word) {
    return switch (word) {
      case "rfc" -> HardwareModel.rfc();
      case "locked-memory" -> HardwareModel.lockedMemory();
      case "none" -> HardwareModel.none();
      default -> HardwareModel.fromFile(Path.of(word));
    };
  }
}
