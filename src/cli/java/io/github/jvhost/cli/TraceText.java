package io.github.jvhost.cli;

import io.github.jvhost.testkit.trace.PhaseCost;
import io.github.jvhost.testkit.trace.TracedRequest;
import io.github.jvhost.testkit.trace.TracedSession;
import io.github.jvhost.testkit.trace.WhatIf;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** What a session cost, for people. */
final class TraceText {
  /** How many of the slowest replies are shown. */
  static final int SLOWEST = 5;

  private TraceText() {}

  static void print(PrintWriter out, TracedSession session, boolean whatIf) {
    out.println();
    out.println("session " + session.session());
    out.println("  phase              time  messages  replies  waits  waiting for replies");
    for (PhaseCost cost : session.costs()) {
      out.println(
          "  %-10s %12s %9d %8d %6d %20s"
              .formatted(
                  Words.label(cost.phase()),
                  time(cost.nanos()),
                  cost.messages(),
                  cost.replies(),
                  cost.waits(),
                  time(cost.waitedNanos())));
    }
    List<TracedRequest> slowest = session.slowest(SLOWEST);
    if (!slowest.isEmpty()) {
      out.println("  slowest replies");
      for (TracedRequest request : slowest) {
        out.println(
            "  %12s  %-22s in %s, at %s"
                .formatted(
                    time(request.replyNanos()),
                    request.request().name(),
                    Words.label(request.phase()),
                    time(request.request().nanos())));
      }
    }
    if (whatIf) {
      whatIf(out, WhatIf.of(session));
    }
  }

  private static void whatIf(PrintWriter out, WhatIf estimate) {
    if (estimate.variants().isEmpty()) {
      out.println("  nothing was set up, so there is nothing to estimate");
      return;
    }
    out.println("  setting it up            early  in the window  waits  waiting for replies");
    WhatIf.Cost recorded = estimate.recorded();
    out.println(
        "  %-22s %7d %14d %6d %20s  measured"
            .formatted(
                "as recorded", 0, recorded.messages(), recorded.waits(), time(recorded.nanos())));
    for (WhatIf.Variant variant : estimate.variants()) {
      out.println(
          "  %-22s %7d %14d %6d %20s  modelled; %s"
              .formatted(
                  variant.name(),
                  variant.early(),
                  variant.window().messages(),
                  variant.window().waits(),
                  time(variant.window().nanos()),
                  variant.note()));
    }
    out.println(
        "  modelled: one round trip (the quickest reply of the session), and the work that the"
            + " remaining replies showed");
  }

  /** With a unit that leaves few digits. */
  static String time(long nanos) {
    if (nanos < 1_000_000) {
      return String.format(Locale.ROOT, "%.1f us", nanos / 1e3);
    }
    return nanos < 10_000_000_000L
        ? String.format(Locale.ROOT, "%.3f ms", nanos / 1e6)
        : String.format(Locale.ROOT, "%.3f s", nanos / 1e9);
  }
}
