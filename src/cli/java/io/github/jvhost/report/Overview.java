package io.github.jvhost.report;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** All runs side by side, as bars on one scale. */
final class Overview {
  private static final int BAR = 16;

  private Overview() {}

  static void write(Html html, List<Run> runs) {
    html.open("div", "class", "two wide-left");
    downTimes(html, runs);
    pings(html, runs);
    html.close();
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

  /** Writes a colour and opens an element for its meaning, which the caller closes. */
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
      Figures.millis(html, run.phases().get("downtime"), Figures.path(index, "phases.downtime"));
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
          percent(part.fromNanos() - time.pausingNanos(), longest),
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
        Figures.path(index, "stopWindow.destinationMicros"),
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
          Figures.path(i, "ping.longestGapMicros"),
          "out",
          longest);
      Long inbound = run.ping().inboundLongestGapMicros();
      if (inbound != null) {
        small(
            html,
            "to the guest",
            inbound,
            Figures.path(i, "ping.inboundLongestGapMicros"),
            "in",
            longest);
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
}
