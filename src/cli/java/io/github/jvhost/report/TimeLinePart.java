package io.github.jvhost.report;

import java.util.List;

/** Draws a run's messages as two pictures: before the stop window, and in it. */
final class TimeLinePart {
  private TimeLinePart() {}

  static void write(Html html, Run run) {
    List<Run.Lane> lanes = run.timeLine().lanes();
    DownTime time = DownTime.of(run);
    html.open("div", "class", "two");
    if (time == null) {
      stayed(html, run);
    } else {
      before(html, run, time);
      window(html, run, time);
    }
    html.close();
    if (lanes.isEmpty()) {
      html.element(
          "p",
          "This back end keeps no record of its messages: there are only moments here.",
          "class",
          "quiet");
    } else {
      key(html, lanes);
    }
  }

  /** Returns when the first message came or the migration began, whichever was earlier. */
  private static long first(Run run) {
    return run.timeLine().lanes().stream()
        .flatMap(lane -> lane.messages().stream())
        .mapToLong(Run.Message::nanos)
        .reduce(0, Math::min);
  }

  private static long last(Run run) {
    return run.timeLine().lanes().stream()
        .flatMap(lane -> lane.messages().stream())
        .mapToLong(Run.Message::nanos)
        .reduce(1, Math::max);
  }

  private static void stayed(Html html, Run run) {
    if (run.timeLine().lanes().isEmpty()) {
      return;
    }
    html.open("figure").element("figcaption", "All messages");
    var chart = new Chart(html, run.timeLine().lanes(), first(run), last(run), 0);
    chart.mark(0, "migration begins");
    chart.write(run.presetup() + ": all messages", "ms since the migration began");
    html.close();
  }

  private static void before(Html html, Run run, DownTime time) {
    if (run.timeLine().lanes().isEmpty()) {
      return;
    }
    html.open("figure").element("figcaption", "Before the guest is paused");
    var chart =
        new Chart(
            html, run.timeLine().lanes(), first(run), time.pausingNanos(), time.pausingNanos());
    chart.mark(0, "migration begins");
    chart.write(run.presetup() + ": messages before the pause", "ms before the pause");
    html.close();
  }

  private static void window(Html html, Run run, DownTime time) {
    html.open("figure");
    html.open("figcaption")
        .text("While it stands still: " + Figures.nanosAsMillis(time.nanos()))
        .close();
    var chart =
        new Chart(
            html,
            run.timeLine().lanes(),
            time.pausingNanos(),
            time.resumedNanos(),
            time.pausingNanos());
    chart.parts(time.parts());
    chart.write(run.presetup() + ": messages in the stop window", "ms from the pause");
    html.open("ul", "class", "legend");
    for (DownTime.Part part : time.parts()) {
      Overview.swatch(html, part.style());
      html.text(part.words() + " ").element("b", Figures.nanosAsMillis(part.nanos())).close();
    }
    html.close().close();
  }

  private static void key(Html html, List<Run.Lane> lanes) {
    html.open("ul", "class", "legend");
    Overview.swatch(html, "told");
    html.text("a message, as its back end got it").close();
    Overview.swatch(html, "asked");
    html.text("one that is answered").close();
    if (lanes.stream().anyMatch(lane -> !lane.work().isEmpty())) {
      Overview.swatch(html, "work");
      html.text("the back end configures (modelled)").close();
    }
    html.close();
  }
}
