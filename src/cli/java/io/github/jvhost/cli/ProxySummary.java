package io.github.jvhost.cli;

import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.testkit.trace.RelayCounts;
import io.github.jvhost.testkit.trace.SortedTimes;
import java.nio.file.Path;

/** The summary of a proxy's counts. */
final class ProxySummary {
  private ProxySummary() {}

  static Shown of(Path listen, Path connect, RelayCounts counts) {
    var messages = new Shown();
    for (RelayRoute route : RelayRoute.values()) {
      String format =
          switch (route) {
            case TO_BACK_END -> "messages     %d to the back end, ";
            case TO_FRONT_END -> "%d to the front end%n";
            case ASKED -> "channel      %d asked by the back end, ";
            case ANSWERED -> "%d answered%n";
          };
      messages.both(Words.label(route), counts.messages(route), format);
    }
    SortedTimes held = counts.held();
    var micros =
        new Shown()
            .both("median", held.percentile(50) / 1e3, "held         %.1f us median, ")
            .both("p99", held.percentile(99) / 1e3, "%.1f us 99th percentile, ")
            .text("from the last byte in to the last byte out%n");
    var shown =
        new Shown()
            .json("listen", listen.toString())
            .json("connect", connect.toString())
            .both("sessions", counts.sessions(), "sessions     %d%n")
            .both("messages", messages)
            .both("descriptors", counts.descriptors(), "descriptors  %d%n")
            .both(
                "raw",
                counts.raw(),
                counts.raw() > 0 ? "raw          %d times, bytes that are no message%n" : "");
    return held.count() > 0 ? shown.both("heldMicros", micros) : shown.json("heldMicros", micros);
  }
}
