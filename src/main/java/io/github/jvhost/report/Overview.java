package io.github.jvhost.report;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** All runs next to each other: bars on one scale, and a table of facts. */
final class Overview {
  private static final int BAR = 16;

  private Overview() {}

  static void write(Html html, List<Run> runs) {
    html.open("div", "class", "two wide-left");
    downTimes(html, runs);
    pings(html, runs);
    html.close();
    facts(html, runs);
  }

  // ---- downtime ----

  private static void downTimes(Html html, List<Run> runs) {
    html.open("section", "aria-labelledby", "downtime");
    html.element("h2", "Downtime", "id", "downtime");
    String what = "From the guest's pause on the source until it runs on the destination.";
    boolean modelled =
        runs.stream().anyMatch(r -> r.window().configIsModelled() && r.window().configMicros() > 0);
    html.element(
        "p",
        modelled ? what + " What hardware takes to be configured in it is modelled." : what,
        "class",
        "quiet");
    long longest = 1;
    for (Run run : runs) {
      DownTime time = DownTime.of(run);
      longest = Math.max(longest, time == null ? 0 : time.nanos());
    }
    html.open("ul", "class", "bars");
    for (int i = 0; i < runs.size(); i++) {
      downTime(html, runs.get(i), i, longest);
    }
    html.close();
    html.open("ul", "class", "legend");
    for (DownTime.Part part : DownTime.legend()) {
      swatch(html, part.style());
      html.text(part.words()).close();
    }
    html.close().close();
  }

  /** A colour and, until the element is closed, what it stands for. */
  static void swatch(Html html, String style) {
    html.open("li").open("svg", "class", "swatch", "aria-hidden", "true");
    html.lone("rect", "class", style, "width", "100%", "height", "100%").close();
  }

  private static void downTime(Html html, Run run, int index, long longest) {
    DownTime time = DownTime.of(run);
    html.open("li").open("div", "class", "head").element("b", run.presetup());
    if (time == null) {
      html.element("span", "no downtime: the guest runs on the " + run.ranOn());
      html.close().close();
      return;
    }
    if (run.phases().containsKey("downtime")) {
      Figures.millis(html, run.phases().get("downtime"), json(index, "phases.downtime"));
    } else {
      html.text(Figures.nanosAsMillis(time.nanos()));
    }
    html.close();
    html.open("svg", "class", "bar", "height", BAR, "role", "img", "aria-label", said(run, time));
    for (DownTime.Part part : time.parts()) {
      html.open(
          "rect",
          "class",
          part.style(),
          "x",
          percent(part.fromNanos() - time.pausedNanos(), longest),
          "width",
          percent(part.nanos(), longest),
          "height",
          BAR);
      html.element("title", part.words() + ": " + Figures.nanosAsMillis(part.nanos())).close();
    }
    html.close();
    small(
        html,
        "of it the destination's stop window",
        run.window().destinationMicros(),
        json(index, "stopWindow.destinationMicros"),
        "out",
        longest / 1_000);
    html.close();
  }

  private static String said(Run run, DownTime time) {
    var words =
        new StringBuilder(run.presetup() + ", downtime " + Figures.nanosAsMillis(time.nanos()));
    for (DownTime.Part part : time.parts()) {
      words
          .append("; ")
          .append(part.words())
          .append(' ')
          .append(Figures.nanosAsMillis(part.nanos()));
    }
    return words.toString();
  }

  private static String percent(long part, long whole) {
    return String.format(Locale.ROOT, "%.3f%%", 100.0 * part / whole);
  }

  // ---- pings ----

  private static void pings(Html html, List<Run> runs) {
    html.open("section", "aria-labelledby", "pings");
    html.element("h2", "Pings: the longest gap", "id", "pings");
    html.element(
        "p",
        "The longest time without an answer around the migration, a ping a millisecond.",
        "class",
        "quiet");
    long longest = 1;
    for (Run run : runs) {
      longest = Math.max(longest, run.ping().longestGapMicros());
      longest = Math.max(longest, orZero(run.ping().inboundLongestGapMicros()));
    }
    html.open("ul", "class", "bars");
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      html.open("li").open("div", "class", "head").element("b", run.presetup()).close();
      small(
          html,
          "from the guest",
          run.ping().longestGapMicros(),
          json(i, "ping.longestGapMicros"),
          "out",
          longest);
      Long inbound = run.ping().inboundLongestGapMicros();
      if (inbound != null) {
        small(
            html, "to the guest", inbound, json(i, "ping.inboundLongestGapMicros"), "in", longest);
      }
      html.close();
    }
    html.close().close();
  }

  private static long orZero(@Nullable Long value) {
    return value == null ? 0 : value;
  }

  private static void small(
      Html html, String which, long micros, String json, String style, long longest) {
    html.open("div", "class", "head small").element("span", which);
    Figures.millis(html, micros, json);
    html.close();
    html.open("svg", "class", "bar", "height", BAR / 2, "aria-hidden", "true");
    html.lone("rect", "class", style, "width", percent(micros, longest), "height", BAR / 2);
    html.close();
  }

  // ---- the table ----

  private interface Cell {
    void write(Run run, String json);
  }

  private static void facts(Html html, List<Run> runs) {
    html.open("section", "aria-labelledby", "facts");
    html.element("h2", "In figures", "id", "facts");
    html.open("div", "class", "wide", "role", "region", "aria-labelledby", "facts", "tabindex", 0);
    html.open("table", "class", "facts").open("thead").open("tr").element("td", "");
    runs.forEach(run -> html.element("th", run.presetup(), "scope", "col"));
    html.close().close().open("tbody");
    row(html, runs, "guest runs on", "ranOn", (r, _) -> html.text(r.ranOn()));
    row(
        html,
        runs,
        "destination: stop window",
        "stopWindow.destinationMicros",
        (r, j) -> Figures.millis(html, r.window().destinationMicros(), j));
    row(
        html,
        runs,
        "configuring in it, all devices together"
            + (runs.getFirst().window().configIsModelled() ? " (modelled)" : ""),
        "backEndConfigMicros",
        (r, j) -> Figures.millis(html, r.window().configMicros(), j));
    row(html, runs, "times shorter than off", "", (r, _) -> html.text(ratio(runs, r)));
    row(
        html,
        runs,
        "destination: messages in the window",
        "stopWindow.messages",
        (r, j) -> Figures.count(html, r.window().messages(), j));
    row(
        html,
        runs,
        "destination: waits for a back end",
        "stopWindow.waits",
        (r, j) -> Figures.count(html, r.window().waits(), j));
    row(
        html,
        runs,
        "source: stopping its rings",
        "stopWindow.sourceMicros",
        (r, j) -> Figures.millis(html, r.window().sourceMicros(), j));
    row(
        html,
        runs,
        "source: messages",
        "stopWindow.sourceMessages",
        (r, j) -> Figures.count(html, r.window().sourceMessages(), j));
    row(
        html,
        runs,
        "source: waits for a back end",
        "stopWindow.sourceWaits",
        (r, j) -> Figures.count(html, r.window().sourceWaits(), j));
    row(
        html,
        runs,
        "early set-up, while the guest ran",
        "phases.destination.presetup",
        (r, j) -> Figures.millis(html, r.phases().get("destination.presetup"), j));
    row(
        html,
        runs,
        "pages of guest memory",
        "ram.totalPages",
        (r, j) -> Figures.count(html, r.ram().totalPages(), j));
    row(
        html,
        runs,
        "of them sent while it stood still",
        "ram.finalRoundPages",
        (r, j) -> Figures.count(html, r.ram().finalRoundPages(), j));
    row(
        html,
        runs,
        "the guest's working set",
        "",
        (r, _) -> html.text(r.ram().intact() ? "intact" : "DAMAGED"));
    row(
        html,
        runs,
        "pings from the guest",
        "ping.sent",
        (r, j) -> Figures.count(html, r.ping().sent(), j));
    row(
        html,
        runs,
        "of them answered",
        "ping.answered",
        (r, j) -> Figures.count(html, r.ping().answered(), j));
    row(
        html,
        runs,
        "pings to the guest",
        "ping.inboundSent",
        (r, j) -> Figures.count(html, r.ping().inboundSent(), j));
    row(
        html,
        runs,
        "of them answered",
        "ping.inboundAnswered",
        (r, j) -> Figures.count(html, r.ping().inboundAnswered(), j));
    row(
        html,
        runs,
        "counted as dropped by a back end",
        "ping.droppedByBackEnd",
        (r, j) -> Figures.count(html, r.ping().dropped(), j));
    row(html, runs, "lost", "ping.lost", (r, j) -> Figures.count(html, r.ping().lost(), j));
    row(
        html,
        runs,
        "pings recovered",
        "",
        (r, _) -> html.text(r.ping().recovered() ? "yes" : "NO"));
    html.close().close().close().close();
  }

  private static void row(Html html, List<Run> runs, String label, String json, Cell cell) {
    html.open("tr").element("th", label, "scope", "row");
    for (int i = 0; i < runs.size(); i++) {
      html.open("td");
      cell.write(runs.get(i), json(i, json));
      html.close();
    }
    html.close();
  }

  /** Of the destination's stop window, as the demo's table has it. */
  private static String ratio(List<Run> runs, Run run) {
    for (Run off : runs) {
      boolean comparable =
          off.window().destinationMicros() > 0 && run.window().destinationMicros() > 0;
      if (off.presetup().equals("off") && !off.equals(run) && comparable) {
        return String.format(
            Locale.ROOT,
            "%.1f",
            (double) off.window().destinationMicros() / run.window().destinationMicros());
      }
    }
    return "\u2013";
  }

  private static String json(int run, String member) {
    return "runs[" + run + "]." + member;
  }
}
