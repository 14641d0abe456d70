package io.github.jvhost.report;

import java.util.List;
import java.util.Locale;

/** What can be said of a run in a number or a word, a column for each run. */
final class FactsTable {
  private FactsTable() {}

  private interface Cell {
    void write(Run run, String json);
  }

  static void write(Html html, List<Run> runs) {
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
      cell.write(runs.get(i), Figures.path(i, json));
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
}
