package io.github.jvhost.testkit.junit;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.RecordedAsk;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.trace.MessageLine;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The messages of one mock back end in both directions, as text for a test failure. */
final class Conversation {
  /** Only the last lines are shown, because they matter most and a report should be readable. */
  private static final int MOST_LINES = 200;

  private Conversation() {}

  /** One message; times as in the record. */
  private record Line(long nanos, int connection, String text) {}

  static String of(String backEnd, BackEndRecord record) {
    List<Line> lines = lines(record);
    var text = new StringBuilder("What " + backEnd + " received:");
    long start = lines.isEmpty() ? 0 : lines.getFirst().nanos();
    int from = Math.max(0, lines.size() - MOST_LINES);
    if (from > 0) {
      text.append("\n  (").append(from).append(" earlier messages)");
    }
    int connection = 0;
    for (Line line : lines.subList(from, lines.size())) {
      if (line.connection() != connection) {
        connection = line.connection();
        text.append("\n  connection ").append(connection);
      }
      text.append("\n%12.1f us %s".formatted((line.nanos() - start) / 1e3, line.text()));
    }
    if (lines.isEmpty()) {
      text.append(" nothing");
    }
    record.notes().forEach(note -> text.append("\n  ### ").append(note));
    return text.toString();
  }

  private static List<Line> lines(BackEndRecord record) {
    List<Line> lines = new ArrayList<>();
    for (RecordedMessage m : record.messages()) {
      lines.add(new Line(m.nanos(), m.connection(), MessageLine.of(m)));
    }
    for (RecordedAsk ask : record.asks()) {
      lines.add(new Line(ask.nanos(), ask.connection(), asked(ask)));
    }
    lines.sort(
        Comparator.comparingLong(
            Line::nanos)); // a stable sort: lines of the same time keep their order
    return lines;
  }

  private static String asked(RecordedAsk ask) {
    String name =
        BackEndRequest.of(ask.id()).map(Enum::name).orElse("back-end request " + ask.id());
    return "<- " + name + (ask.result() == null ? "" : " answered " + ask.result());
  }
}
