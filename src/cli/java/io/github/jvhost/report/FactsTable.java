package io.github.jvhost.report;

import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A table of facts that are a number or a word, with a column for each run. */
final class FactsTable {
  private FactsTable() {}

  /**
   * A row: how to write a cell, and the place of its value in the run's JSON; "" if the value is
   * calculated.
   */
  private record Row(String label, String json, Cell cell) {
    static Row count(String label, String json, Function<Run, @Nullable Long> count) {
      return new Row(label, json, (html, run, path) -> Figures.count(html, count.apply(run), path));
    }

    static Row millis(String label, String json, Function<Run, @Nullable Long> micros) {
      return new Row(
          label, json, (html, run, path) -> Figures.millis(html, micros.apply(run), path));
    }

    static Row word(String label, String json, Function<Run, String> word) {
      return new Row(label, json, (html, run, _) -> html.text(word.apply(run)));
    }
  }

  private interface Cell {
    void write(Html html, Run run, String path);
  }

  private static List<Row> rows(List<Run> runs) {
    String modelled = runs.getFirst().window().configIsModelled() ? " (modelled)" : "";
    return List.of(
        Row.word("guest runs on", "ranOn", Run::ranOn),
        Row.millis(
            "destination: stop window",
            "stopWindow.destinationMicros",
            r -> r.window().destinationMicros()),
        Row.millis(
            "configuring in it, all devices together" + modelled,
            "backEndConfigMicros",
            r -> r.window().configMicros()),
        Row.word("times shorter than off", "", r -> ratio(runs, r)),
        Row.count(
            "destination: messages in the window",
            "stopWindow.messages",
            r -> r.window().messages()),
        Row.count("destination: waits for a back end", "stopWindow.waits", r -> r.window().waits()),
        Row.millis(
            "source: stopping its rings",
            "stopWindow.sourceMicros",
            r -> r.window().sourceMicros()),
        Row.count(
            "source: messages", "stopWindow.sourceMessages", r -> r.window().sourceMessages()),
        Row.count(
            "source: waits for a back end",
            "stopWindow.sourceWaits",
            r -> r.window().sourceWaits()),
        Row.millis(
            "presetup, while the guest ran",
            "phases.destination.presetup",
            r -> r.phases().get("destination.presetup")),
        Row.count("pages of guest memory", "ram.totalPages", r -> r.ram().totalPages()),
        Row.count(
            "of them sent while it stood still",
            "ram.finalRoundPages",
            r -> r.ram().finalRoundPages()),
        Row.word("the guest's working set", "", r -> r.ram().intact() ? "intact" : "DAMAGED"),
        Row.count("pings from the guest", "ping.sent", r -> r.ping().sent()),
        Row.count("of them answered", "ping.answered", r -> r.ping().answered()),
        Row.count("pings to the guest", "ping.inboundSent", r -> r.ping().inboundSent()),
        Row.count("of them answered", "ping.inboundAnswered", r -> r.ping().inboundAnswered()),
        Row.count(
            "counted as dropped by a back end", "ping.droppedByBackEnd", r -> r.ping().dropped()),
        Row.count("lost otherwise", "ping.lost", r -> r.ping().lost()),
        Row.word("pings recovered", "", r -> r.ping().recovered() ? "yes" : "NO"));
  }

  /** Of guests behind an IOMMU. */
  private static List<Row> iotlbRows(List<Run> runs) {
    if (runs.stream().allMatch(run -> run.iotlb() == null)) {
      return List.of();
    }
    return List.of(
        ofIotlb("translations told early", "toldEarly", Run.Iotlb::toldEarly),
        ofIotlb("told in the window", "toldInWindow", Run.Iotlb::toldInWindow),
        ofIotlb("misses in the window", "missesInWindow", Run.Iotlb::missesInWindow),
        ofIotlb("misses after it", "missesAfter", Run.Iotlb::missesAfter),
        ofIotlb("frames lost to a miss", "framesLost", Run.Iotlb::framesLost),
        ofIotlb("told wider than the guest permits", "widened", Run.Iotlb::widened));
  }

  private static Row ofIotlb(
      String label, String member, Function<Run.Iotlb, @Nullable Long> count) {
    return Row.count(
        label, "iotlb." + member, r -> r.iotlb() == null ? null : count.apply(r.iotlb()));
  }

  static void write(Html html, List<Run> runs) {
    html.open("section", "aria-labelledby", "facts");
    html.element("h2", "In figures", "id", "facts");
    html.open("div", "class", "wide", "role", "region", "aria-labelledby", "facts", "tabindex", 0);
    html.open("table", "class", "facts").open("thead").open("tr").element("td", "");
    runs.forEach(run -> html.element("th", run.presetup(), "scope", "col"));
    html.close().close().open("tbody");
    for (Row row : Stream.concat(rows(runs).stream(), iotlbRows(runs).stream()).toList()) {
      html.open("tr").element("th", row.label(), "scope", "row");
      for (int i = 0; i < runs.size(); i++) {
        html.open("td");
        row.cell().write(html, runs.get(i), Figures.path(i, row.json()));
        html.close();
      }
      html.close();
    }
    html.close().close().close().close();
  }

  /** Returns the ratio of the destination's stop windows, as in the demo's table. */
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
}
