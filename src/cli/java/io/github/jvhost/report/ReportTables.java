package io.github.jvhost.report;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The long tables of a run. They are folded, and open without a script. */
final class ReportTables {
  /** When messages come that are not highlighted. */
  private static final Set<String> BESIDE = Set.of("", "before", "after");

  private ReportTables() {}

  /** Writes the steps of the stop window, with their reasons. */
  static void plan(Html html, Run run) {
    if (run.plan().isEmpty()) {
      return;
    }
    html.open("details")
        .element(
            "summary",
            "The plan of the stop window: "
                + Figures.counted(run.plan().size(), "step")
                + ", and why each");
    begin(html, "plan of " + run.presetup(), "device", "what", "back end held", "is sent", "why");
    for (Run.Step step : run.plan()) {
      html.open("tr", "class", "step");
      html.element("td", step.device());
      html.element("td", step.field());
      html.element("td", or(step.from()));
      html.element("td", or(step.to()));
      html.element("td", step.reason(), "class", "words").close();
    }
    html.close().close().close().close();
  }

  private static String or(@Nullable String value) {
    return value == null ? "\u2013" : value;
  }

  private record Line(Run.Lane lane, Run.Message message) {}

  /** Writes every message of a run, in order of time. */
  static void messages(Html html, Run run) {
    DownTime time = DownTime.of(run);
    messages(
        html,
        run.timeLine().lanes(),
        "messages of " + run.presetup(),
        time == null ? "ms since it began" : "ms from the pause",
        time == null ? 0 : time.pausingNanos(),
        "payload",
        message -> when(message, time));
  }

  /**
   * Writes every message of some lanes, in order of time.
   *
   * @param label of the table
   * @param since what its times count from
   * @param zero that moment
   * @param payload what is known of it
   * @param when a message came, in words
   */
  static void messages(
      Html html,
      List<Run.Lane> lanes,
      String label,
      String since,
      long zero,
      String payload,
      Function<Run.Message, String> when) {
    List<Line> lines = new ArrayList<>();
    for (Run.Lane lane : lanes) {
      lane.messages().forEach(m -> lines.add(new Line(lane, m)));
    }
    if (lines.isEmpty()) {
      return;
    }
    lines.sort(Comparator.comparingLong(line -> line.message().nanos()));
    html.open("details")
        .element("summary", "Every message, with its %s: %d".formatted(payload, lines.size()));
    begin(html, label, since, "when", "back end", "message", payload, "descriptors", "answered");
    for (Line line : lines) {
      Run.Message m = line.message();
      String words = when.apply(m);
      html.open("tr", "class", BESIDE.contains(words) ? "message" : "message now");
      html.element("td", exact(m.nanos() - zero), "class", "number");
      html.element("td", words);
      html.element("td", line.lane().name());
      html.element("td", m.name(), "class", "code");
      html.element("td", m.payload(), "class", "code words");
      html.element("td", m.descriptors() == 0 ? "" : m.descriptors(), "class", "number");
      html.element("td", m.answered() ? "yes" : "").close();
    }
    html.close().close().close().close();
  }

  private static String when(Run.Message message, @Nullable DownTime time) {
    if (time == null) {
      return "";
    }
    return message.within(time.pausingNanos(), time.resumedNanos())
        ? "stop window"
        : message.nanos() < time.pausingNanos() ? "before" : "after";
  }

  private static String exact(long nanos) {
    return BigDecimal.valueOf(nanos, 6).setScale(3, RoundingMode.HALF_UP).toPlainString();
  }

  private static void begin(Html html, String label, String... columns) {
    html.open("div", "class", "wide", "role", "region", "aria-label", label, "tabindex", 0);
    html.open("table").open("thead").open("tr");
    for (String column : columns) {
      html.element("th", column, "scope", "col");
    }
    html.close().close().open("tbody");
  }
}
