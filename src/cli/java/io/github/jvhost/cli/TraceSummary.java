package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.trace.Capture;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureEvent;
import io.github.jvhost.testkit.trace.CaptureLine;
import io.github.jvhost.testkit.trace.CapturedMessage;
import io.github.jvhost.testkit.trace.MessageLine;
import io.github.jvhost.testkit.trace.PhaseCost;
import io.github.jvhost.testkit.trace.TracedRequest;
import io.github.jvhost.testkit.trace.TracedSession;
import io.github.jvhost.testkit.trace.WhatIf;
import java.util.List;
import java.util.Locale;

/** A capture as output: its messages, and the cost of each session. */
final class TraceSummary {
  /** How many of the slowest replies are shown. */
  private static final int SLOWEST = 5;

  private TraceSummary() {}

  static Shown of(
      String file,
      Capture capture,
      List<CaptureEntry> entries,
      List<TracedSession> sessions,
      boolean whatIf) {
    return new Shown()
        .both("capture", file, "%s: ")
        .both("listen", capture.listen(), "from %s ")
        .both("connect", capture.connect(), "to %s, ")
        .both("started", capture.started().toString(), "%s, ")
        .both("dialect", Words.label(capture.dialect()), "dialect %s%n")
        .json("cutOff", capture.cutOff())
        .both("entries", entries, entry -> entry(entry, capture.dialect()))
        .text(
            capture.cutOff()
                ? "the last line is cut off: the proxy ended while it wrote it, or is not done"
                    + " yet%n"
                : "")
        .both("sessions", sessions, session -> session(session, whatIf))
        .text(sessions.isEmpty() ? "no sessions%n" : "");
  }

  private static Shown entry(CaptureEntry entry, Dialect dialect) {
    var shown =
        new Shown()
            .text("%s%n", CaptureLine.of(entry, dialect))
            .json("atMicros", entry.nanos() / 1e3)
            .json("session", entry.session());
    return switch (entry) {
      case CaptureEvent event ->
          shown.json("event", event.connected() ? "connected" : "ended").json("why", event.why());
      case CapturedMessage message ->
          shown
              .json("way", Words.label(message.route()))
              .json("name", message.name())
              .json("flags", message.flags())
              .json("bytes", message.size())
              .json("descriptors", message.descriptors())
              .json("payload", MessageLine.of(message.payload()));
    };
  }

  private static Shown session(TracedSession session, boolean whatIf) {
    List<TracedRequest> slowest = session.slowest(SLOWEST);
    var shown =
        new Shown()
            .both("session", session.session(), "%nsession %d%n")
            .text("  phase              time  messages  replies  waits  waiting for replies%n")
            .both("phases", session.costs(), TraceSummary::phase)
            .text(slowest.isEmpty() ? "" : "  slowest replies%n")
            .both("slowest", slowest, TraceSummary::reply);
    return whatIf ? whatIf(shown, WhatIf.of(session)) : shown;
  }

  private static Shown phase(PhaseCost cost) {
    return new Shown()
        .both("phase", Words.label(cost.phase()), "  %-10s ")
        .json("timeMicros", cost.nanos() / 1e3)
        .text("%12s ", time(cost.nanos()))
        .both("messages", cost.messages(), "%9d ")
        .both("replies", cost.replies(), "%8d ")
        .both("waits", cost.waits(), "%6d ")
        .json("waitingMicros", cost.waitedNanos() / 1e3)
        .text("%20s%n", time(cost.waitedNanos()));
  }

  private static Shown reply(TracedRequest request) {
    return new Shown()
        .text("  %12s  ", time(request.replyNanos()))
        .both("name", request.request().name(), "%-22s ")
        .both("phase", Words.label(request.phase()), "in %s, ")
        .json("atMicros", request.request().nanos() / 1e3)
        .text("at %s%n", time(request.request().nanos()))
        .json("replyMicros", request.replyNanos() / 1e3);
  }

  private static Shown whatIf(Shown session, WhatIf estimate) {
    var recorded = new Shown().text("  %-22s %7d ", "as recorded", 0);
    cost(recorded, estimate.recorded(), "waitingMicros").text("  measured%n");
    var setUp =
        new Shown()
            .text("  setting it up            early  in the window  waits  waiting for replies%n")
            .both("recorded", recorded)
            .both("estimates", estimate.variants(), TraceSummary::variant)
            .text(
                "  modelled: one round trip (the quickest reply of the session), and the work that"
                    + " the remaining replies showed%n");
    return estimate.variants().isEmpty()
        ? session
            .json("setUp", setUp)
            .text("  nothing was set up, so there is nothing to estimate%n")
        : session.both("setUp", setUp);
  }

  private static Shown variant(WhatIf.Variant variant) {
    var shown =
        new Shown().both("name", variant.name(), "  %-22s ").both("early", variant.early(), "%7d ");
    return cost(shown, variant.window(), "modelledWaitingMicros")
        .both("note", variant.note(), "  modelled; %s%n");
  }

  private static Shown cost(Shown shown, WhatIf.Cost cost, String time) {
    return shown
        .both("messages", cost.messages(), "%14d ")
        .both("waits", cost.waits(), "%6d ")
        .json(time, cost.nanos() / 1e3)
        .text("%20s", time(cost.nanos()));
  }

  /** Formats a time with a unit that needs few digits. */
  private static String time(long nanos) {
    if (nanos < 1_000_000) {
      return String.format(Locale.ROOT, "%.1f us", nanos / 1e3);
    }
    return nanos < 10_000_000_000L
        ? String.format(Locale.ROOT, "%.3f ms", nanos / 1e6)
        : String.format(Locale.ROOT, "%.3f s", nanos / 1e9);
  }
}
