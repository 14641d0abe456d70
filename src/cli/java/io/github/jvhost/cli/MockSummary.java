package io.github.jvhost.cli;

import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.FrameDrop;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.net.ReflectingPort;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The summary of a mock back end's record. */
final class MockSummary {
  private MockSummary() {}

  static Shown of(MockBackEnd backEnd, ReflectingPort mirror) {
    BackEndRecord record = backEnd.record();
    var messages = new Shown();
    record.messages().stream()
        .collect(Collectors.groupingBy(RecordedMessage::name, TreeMap::new, Collectors.counting()))
        .forEach(messages::json);
    var dropped = new Shown();
    for (FrameDrop reason : FrameDrop.values()) {
      drops(dropped, Words.label(reason), record.drops(reason));
    }
    drops(dropped, "mirror-full", mirror.dropped());
    var frames =
        new Shown()
            .both("fromFrontEnd", record.transmitted(), "frames       %d from the front end, ")
            .both("toFrontEnd", record.delivered(), "%d to it, ")
            .text("%d dropped%n", record.drops() + mirror.dropped())
            .both("dropped", dropped);
    var shown =
        new Shown()
            .json("socket", backEnd.socket().toString())
            .json("personality", Words.label(backEnd.offer().personality()))
            .both("connections", record.connections(), "connections  %d%n")
            .text("messages     %d, and ", record.mark())
            .json("messages", messages)
            .both("replies", record.replies(), "%d replies%n")
            .both("frames", frames)
            .json("modelledConfigMicros", record.chargedMicros());
    if (record.chargedMicros() > 0) {
      shown.text("configuring  %.1f ms (modelled)%n", record.chargedMicros() / 1e3);
    }
    record.notes().forEach(note -> shown.text("note         %s%n", note));
    return shown
        .both(
            "brokenRules",
            record.violations(),
            breach ->
                new Shown()
                    .json("rule", Words.label(breach.rule()))
                    .json("what", breach.what())
                    .text("broken rule  %s%n", breach))
        .text(record.violations().isEmpty() ? "broken rules none%n" : "")
        .json("notes", record.notes());
  }

  private static void drops(Shown dropped, String reason, long count) {
    dropped.json(reason, count);
    if (count > 0) {
      dropped.text("  %-22s %d%n", reason, count);
    }
  }
}
