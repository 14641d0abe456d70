package io.github.jvhost.cli;

import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.testkit.trace.RelayCounts;
import io.github.jvhost.testkit.trace.SortedTimes;
import java.io.PrintWriter;
import java.nio.file.Path;

/** What a proxy saw, for people and for programs. */
final class ProxySummary {
  private ProxySummary() {}

  static void text(RelayCounts counts, PrintWriter out) {
    out.printf("sessions     %d%n", counts.sessions());
    out.printf(
        "messages     %d to the back end, %d to the front end%n",
        counts.messages(RelayRoute.TO_BACK_END), counts.messages(RelayRoute.TO_FRONT_END));
    out.printf(
        "channel      %d asked by the back end, %d answered%n",
        counts.messages(RelayRoute.ASKED), counts.messages(RelayRoute.ANSWERED));
    out.printf("descriptors  %d%n", counts.descriptors());
    if (counts.raw() > 0) {
      out.printf("raw          %d times, bytes that are no message%n", counts.raw());
    }
    SortedTimes held = counts.held();
    if (held.count() > 0) {
      out.printf(
          "held         %.1f us median, %.1f us 99th percentile, from the last byte in to the"
              + " last byte out%n",
          held.percentile(50) / 1e3, held.percentile(99) / 1e3);
    }
  }

  static void json(Path listen, Path connect, RelayCounts counts, PrintWriter out) {
    JsonText.print(
        out,
        json -> {
          json.writeStringField("listen", listen.toString());
          json.writeStringField("connect", connect.toString());
          json.writeNumberField("sessions", counts.sessions());
          json.writeObjectFieldStart("messages");
          for (RelayRoute route : RelayRoute.values()) {
            json.writeNumberField(Words.label(route), counts.messages(route));
          }
          json.writeEndObject();
          json.writeNumberField("descriptors", counts.descriptors());
          json.writeNumberField("raw", counts.raw());
          SortedTimes held = counts.held();
          json.writeObjectFieldStart("heldMicros");
          json.writeNumberField("median", held.percentile(50) / 1e3);
          json.writeNumberField("p99", held.percentile(99) / 1e3);
          json.writeEndObject();
        });
  }
}
