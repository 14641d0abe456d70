package io.github.jvhost.report;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/** Writes what a flight recording says: a picture of each span, and every message. */
final class RecordingPart {
  /** The share of a span that is shown before and after it. */
  private static final int MARGIN = 20;

  private static final long LEAST_MARGIN = 20_000; // nanoseconds

  /**
   * How much all pictures have in them at most. Spans of one device follow each other, so that each
   * message is in one picture or two.
   */
  private static final int MOST_DRAWN = 100_000;

  private RecordingPart() {}

  /**
   * Writes all devices.
   *
   * @throws VhostException (GIVE_UP) when pictures would be endless
   */
  static void write(Html html, Recording recording) {
    List<Recording.Device> devices = recording.devices();
    html.element(
        "p",
        "A flight recording of %s. A message has the time at which its write had returned."
            .formatted(Figures.counted(devices.size(), "device")),
        "class",
        "quiet");
    if (recording.leftOut() > 0) {
      html.element(
          "p",
          "Only the newest events are here. Left out: " + recording.leftOut() + " older ones.",
          "class",
          "note");
    }
    long drawn = 0;
    for (int i = 0; i < devices.size(); i++) {
      for (Recording.Span span : devices.get(i).spans()) {
        drawn += span.plans().size() + devices.get(i).lane().messagesWithin(from(span), to(span));
      }
      if (drawn > MOST_DRAWN) {
        throw new VhostException(
            "the spans in this recording overlap as those of no program do: it is broken; copy or"
                + " write it again",
            Recovery.GIVE_UP);
      }
      device(html, devices.get(i), "device-" + i, recording.zeroNanos());
    }
    html.element("footer", "Made by jvhost. Times are measured on the machine that was recorded.");
  }

  private static long from(Recording.Span span) {
    return span.fromNanos() - margin(span);
  }

  private static long to(Recording.Span span) {
    return span.toNanos() + margin(span);
  }

  private static long margin(Recording.Span span) {
    return Math.max(LEAST_MARGIN, span.nanos() / MARGIN);
  }

  private static void device(Html html, Recording.Device device, String id, long zero) {
    html.open("section", "aria-labelledby", id);
    html.element("h2", device.name(), "id", id);
    if (device.spans().isEmpty()) {
      html.element("p", "It was neither preset nor started nor stopped.", "class", "quiet");
    }
    html.open("div", "class", "two");
    for (int i = 0; i < device.spans().size(); i++) {
      span(html, device, i);
    }
    html.close();
    html.open("ul", "class", "legend");
    Overview.swatch(html, "told");
    html.text("a message, when it was sent").close();
    Overview.swatch(html, "asked");
    html.text("one that was answered").close();
    Overview.swatch(html, "work");
    html.text("until the answer").close();
    html.close();
    ReportTables.messages(
        html,
        List.of(device.lane()),
        "messages of " + device.name(),
        "ms since the first",
        zero,
        "size",
        message -> when(device, message));
    html.close();
  }

  /** Returns what a message was part of, "" for nothing. */
  private static String when(Recording.Device device, Run.Message message) {
    for (int i = 0; i < device.spans().size(); i++) {
      Recording.Span span = device.spans().get(i);
      if (message.within(span.fromNanos(), span.toNanos())) {
        return name(span, i);
      }
    }
    return "";
  }

  private static String name(Recording.Span span, int index) {
    return index + 1 + ". " + span.what();
  }

  private static void span(Html html, Recording.Device device, int index) {
    Recording.Span span = device.spans().get(index);
    String name = name(span, index);
    html.open("figure");
    html.element("figcaption", name + ": " + Figures.nanosAsMillis(span.nanos()));
    html.element(
        "p",
        "%s; recorded at %s"
            .formatted(span.facts(), span.recorded().truncatedTo(ChronoUnit.MILLIS)),
        "class",
        "quiet");
    if (span.failure() != null) {
      html.element("p", "It failed: " + span.failure(), "class", "note");
    }
    var chart = new Chart(html, List.of(device.lane()), from(span), to(span), span.fromNanos());
    List<DownTime.Part> parts = parts(span);
    chart.parts(parts);
    chart.write(device.name() + ", " + name, "ms since it began");
    html.open("ul", "class", "legend");
    for (DownTime.Part part : parts) {
      Overview.swatch(html, part.style());
      html.text(part.words() + " ").element("b", Figures.nanosAsMillis(part.nanos())).close();
    }
    html.close().close();
  }

  /** Returns the span, and upon it those of its plans that are only a part of it. */
  private static List<DownTime.Part> parts(Recording.Span span) {
    List<DownTime.Part> parts = new ArrayList<>();
    parts.add(part(span));
    span.plans().stream()
        .filter(plan -> !plan.contains(span))
        .map(RecordingPart::part)
        .forEach(parts::add);
    return parts;
  }

  private static DownTime.Part part(Recording.Span span) {
    String style =
        switch (span.what()) {
          case "presetup", "plan PRESET", "plan PRESET_EXPLICIT" -> "part3";
          case "start", "replay", "plan RUNNING" -> "part4";
          case "plan STOPPED", "plan RESET" -> "part0";
          default -> "part2";
        };
    return new DownTime.Part(span.what(), style, span.fromNanos(), span.toNanos());
  }
}
