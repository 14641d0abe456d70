package io.github.jvhost.report;

import java.math.BigDecimal;
import org.jspecify.annotations.Nullable;

/**
 * Writes numbers. A number from the file has its place there in {@code data-json} and its value
 * there in {@code value}, so that a program can check the page against the file.
 */
final class Figures {
  /** Separates a number from its unit, so that no line breaks there. */
  private static final String NO_BREAK = "\u00a0";

  private Figures() {}

  /** Writes a count. */
  static void count(Html html, @Nullable Long count, String json) {
    shown(html, count, count == null ? "" : count.toString(), json);
  }

  /** Writes microseconds as exact milliseconds. */
  static void millis(Html html, @Nullable Long micros, String json) {
    shown(html, micros, micros == null ? "" : millis(micros), json);
  }

  private static void shown(Html html, @Nullable Long value, String text, String json) {
    if (value == null) {
      html.text("\u2013"); // it was not measured
    } else {
      html.element("data", text, "value", value, "data-json", json);
    }
  }

  /** "191.432 ms". */
  static String millis(long micros) {
    return BigDecimal.valueOf(micros, 3).toPlainString() + NO_BREAK + "ms";
  }

  /** Returns nanoseconds as milliseconds, cut to microseconds like the spans in the file. */
  static String nanosAsMillis(long nanos) {
    return millis(nanos / 1_000);
  }

  /** "3 messages". */
  static String counted(long count, String what) {
    return count + " " + what + (count == 1 ? "" : "s");
  }

  /** Returns the place of a figure in the JSON: {@code runs[0].ping.sent}. */
  static String path(int run, String member) {
    return "runs[" + run + "]." + member;
  }
}
