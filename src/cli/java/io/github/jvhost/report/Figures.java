package io.github.jvhost.report;

import java.math.BigDecimal;
import org.jspecify.annotations.Nullable;

/**
 * Numbers as they are shown. A number that stands in the file says where, in {@code data-json}, and
 * what it is there, in {@code value}: the page can be checked against the file by a machine.
 */
final class Figures {
  /** Between a number and its unit, so that no line breaks there. */
  private static final String NO_BREAK = "\u00a0";

  private Figures() {}

  /** A count. */
  static void count(Html html, @Nullable Long count, String json) {
    shown(html, count, count == null ? "" : count.toString(), json);
  }

  /** Microseconds, as milliseconds and exactly. */
  static void millis(Html html, @Nullable Long micros, String json) {
    shown(html, micros, micros == null ? "" : millis(micros), json);
  }

  private static void shown(Html html, @Nullable Long value, String text, String json) {
    if (value == null) {
      html.text("\u2013"); // nobody measured it
    } else {
      html.element("data", text, "value", value, "data-json", json);
    }
  }

  /** "191.432 ms". */
  static String millis(long micros) {
    return BigDecimal.valueOf(micros, 3).toPlainString() + NO_BREAK + "ms";
  }

  /** Nanoseconds as milliseconds, cut to microseconds as the file's own spans are. */
  static String nanosAsMillis(long nanos) {
    return millis(nanos / 1_000);
  }

  /** "3 messages". */
  static String counted(long count, String what) {
    return count + " " + what + (count == 1 ? "" : "s");
  }

  /** Where in the JSON a figure is: {@code runs[0].ping.sent}. */
  static String path(int run, String member) {
    return "runs[" + run + "]." + member;
  }
}
