package io.github.jvhost.cli;

import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A time as people write it: "200ms", "10s", "5m", "1h".
 *
 * @param duration more than 0, at most a year
 */
record TimeSpan(Duration duration) {
  /** The longest time span, which in practice means no end. */
  static final Duration LONGEST = Duration.ofDays(365);

  // At most nine digits, so that hours do not overflow before the range is checked.
  private static final Pattern FORM = Pattern.compile("([0-9]{1,9})(ms|s|m|h)");

  /**
   * Parses a time span.
   *
   * @throws IllegalArgumentException with a sentence for the user when the text is no time span
   */
  static TimeSpan parse(String text) {
    Matcher form = FORM.matcher(text.toLowerCase(Locale.ROOT));
    Duration duration = form.matches() ? of(Long.parseLong(form.group(1)), form) : Duration.ZERO;
    if (duration.isZero() || duration.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException(
          "'" + text + "' is no time; write 200ms, 10s, 5m or 1h, at most 365 days");
    }
    return new TimeSpan(duration);
  }

  private static Duration of(long number, Matcher form) {
    return switch (form.group(2)) {
      case "ms" -> Duration.ofMillis(number);
      case "s" -> Duration.ofSeconds(number);
      case "m" -> Duration.ofMinutes(number);
      default -> Duration.ofHours(number);
    };
  }

  /** Converts an option's text for picocli. */
  static final class Converter implements ITypeConverter<TimeSpan> {
    @Override
    public TimeSpan convert(String text) {
      try {
        return parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(String.valueOf(e.getMessage()));
      }
    }
  }
}
