package io.github.jvhost.cli;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.When;
import io.github.jvhost.testkit.Faults.Wrong;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Parses a fault of a mock back end: {@code MESSAGE[#N]=WHAT[:VALUE]}.
 *
 * <pre>
 *   set-mem-table=refuse          the first SET_MEM_TABLE
 *   get-vring-base#2=delay:1s     the second GET_VRING_BASE
 *   get-vring-base#every=base:0   each GET_VRING_BASE
 *   12=hang-up-before             the twelfth message, whatever it is
 *   connection#2=hang-up-before   the second connection, as soon as it is there
 * </pre>
 */
final class FaultWords implements ITypeConverter<Faults.Fault> {
  /** All words that can follow the equals sign. A word with a colon needs a value. */
  static final List<String> KINDS =
      List.of(
          "refuse",
          "refuse-silently",
          "base:N",
          "delay:TIME",
          "short-reply",
          "wrong-size",
          "wrong-id",
          "reply-flags:BITS",
          "hang-up-before",
          "hang-up-after",
          "hang-up-unread",
          "hang-up-in-header",
          "hang-up-in-payload",
          "hang-up-before-answer",
          "hang-up-in-answer:BYTES",
          "never-read",
          "no-answer",
          "never-answers",
          "answer-twice",
          "trailing-bytes:N",
          "extra-descriptors:N",
          "no-descriptors");

  private static final String EVERY = "every";

  private static final Pattern FORM =
      Pattern.compile("(?<message>[^=#]+)(#(?<nth>[^=]*))?=(?<what>[^:]*)(:(?<value>.*))?");

  @Override
  public Faults.Fault convert(String text) {
    try {
      return parse(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(String.valueOf(e.getMessage()));
    }
  }

  /**
   * Reads one fault.
   *
   * @throws IllegalArgumentException with a sentence for the user when the text is no fault
   */
  static Faults.Fault parse(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new IllegalArgumentException("'" + text + "' is no fault; write MESSAGE#N=WHAT");
    }
    When when = when(form.group("message"), Optional.ofNullable(form.group("nth")));
    return new Faults.Fault(
        when, wrong(form.group("what"), Optional.ofNullable(form.group("value"))));
  }

  private static When when(String message, Optional<String> nth) {
    if (message.chars().allMatch(c -> c >= '0' && c <= '9') && nth.isEmpty()) {
      return new When.Message(count(message));
    }
    if (message.equalsIgnoreCase("connection")) {
      return new When.Connection(nth.map(FaultWords::count).orElse(1));
    }
    String name = message.toUpperCase(Locale.ROOT).replace('-', '_');
    FrontEndRequest request =
        Arrays.stream(FrontEndRequest.values())
            .filter(r -> r.name().equals(name))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("'" + message + "' is no message"));
    if (nth.filter(EVERY::equalsIgnoreCase).isPresent()) {
      return new When.Every(request);
    }
    return new When.Occurrence(request, nth.map(FaultWords::count).orElse(1));
  }

  private static int count(String digits) {
    int count = number(digits, 10);
    if (count < 1) {
      throw new IllegalArgumentException("messages are counted from 1, not " + digits);
    }
    return count;
  }

  private static Wrong wrong(String what, Optional<String> value) {
    String word = what.toLowerCase(Locale.ROOT);
    boolean known = KINDS.contains(word) || KINDS.stream().anyMatch(k -> k.startsWith(word + ":"));
    if (!known) {
      throw new IllegalArgumentException(
          "'%s' is none of %s".formatted(what, String.join(", ", KINDS)));
    }
    if (KINDS.contains(word) == value.isPresent()) {
      throw new IllegalArgumentException(
          "'%s' %s".formatted(what, value.isPresent() ? "takes no value" : "needs a value"));
    }
    return switch (word) {
      case "refuse" -> new Wrong.Refuse();
      case "refuse-silently" -> new Wrong.RefuseSilently();
      case "base" -> new Wrong.Base(value(value.orElseThrow()));
      case "delay" -> new Wrong.Delay(TimeSpan.parse(value.orElseThrow()).duration());
      case "short-reply" -> new Wrong.ShortReply();
      case "wrong-size" -> new Wrong.WrongSize();
      case "wrong-id" -> new Wrong.WrongId();
      case "reply-flags" -> new Wrong.ReplyFlags(value(value.orElseThrow()));
      case "hang-up-before" -> new Wrong.HangUpBefore();
      case "hang-up-after" -> new Wrong.HangUpAfter();
      case "hang-up-unread" -> new Wrong.HangUpUnread();
      case "hang-up-in-header" -> new Wrong.HangUpInHeader();
      case "hang-up-in-payload" -> new Wrong.HangUpInPayload();
      case "hang-up-before-answer" -> new Wrong.HangUpBeforeAnswer();
      case "hang-up-in-answer" -> new Wrong.HangUpInAnswer(value(value.orElseThrow()));
      case "never-read" -> new Wrong.NeverRead();
      case "no-answer" -> new Wrong.NoAnswer();
      case "never-answers" -> new Wrong.NeverAnswers();
      case "answer-twice" -> new Wrong.AnswerTwice();
      case "trailing-bytes" -> new Wrong.TrailingBytes(value(value.orElseThrow()));
      case "extra-descriptors" -> new Wrong.ExtraDescriptors(value(value.orElseThrow()));
      case "no-descriptors" -> new Wrong.NoDescriptors();
      default -> throw new IllegalStateException("a kind without a meaning: " + word);
    };
  }

  private static int value(String text) {
    boolean hex = text.startsWith("0x");
    return number(hex ? text.substring(2) : text, hex ? 16 : 10);
  }

  private static int number(String digits, int radix) {
    try {
      return Integer.parseUnsignedInt(digits, radix);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + digits + "' is no number", e);
    }
  }
}
