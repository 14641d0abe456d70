package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.FrameDrop;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.RuleBreach;
import io.github.jvhost.testkit.net.ReflectingPort;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What a mock back end saw, for people and for programs. */
final class MockSummary {
  private MockSummary() {}

  static void text(MockBackEnd backEnd, ReflectingPort mirror, PrintWriter out) {
    BackEndRecord record = backEnd.record();
    out.printf("connections  %d%n", record.connections());
    out.printf("messages     %d, and %d replies%n", record.mark(), record.replies());
    out.printf(
        "frames       %d from the front end, %d to it, %d dropped%n",
        record.transmitted(), record.delivered(), record.drops() + mirror.dropped());
    for (FrameDrop reason : FrameDrop.values()) {
      if (record.drops(reason) > 0) {
        out.printf("  %-22s %d%n", Words.label(reason), record.drops(reason));
      }
    }
    if (mirror.dropped() > 0) {
      out.printf("  %-22s %d%n", "mirror-full", mirror.dropped());
    }
    if (record.chargedMicros() > 0) {
      out.printf("configuring  %.1f ms (modelled)%n", record.chargedMicros() / 1e3);
    }
    for (String note : record.notes()) {
      out.printf("note         %s%n", note);
    }
    for (RuleBreach breach : record.violations()) {
      out.printf("broken rule  %s%n", breach);
    }
    if (record.violations().isEmpty()) {
      out.println("broken rules none");
    }
  }

  static void json(MockBackEnd backEnd, ReflectingPort mirror, PrintWriter out) {
    JsonText.print(
        out,
        json -> {
          json.writeStringField("socket", backEnd.socket().toString());
          json.writeStringField("personality", Words.label(backEnd.offer().personality()));
          write(backEnd.record(), mirror, json);
        });
  }

  private static void write(BackEndRecord record, ReflectingPort mirror, JsonGenerator json)
      throws IOException {
    json.writeNumberField("connections", record.connections());
    json.writeObjectFieldStart("messages");
    for (Map.Entry<String, Long> count : counts(record).entrySet()) {
      json.writeNumberField(count.getKey(), count.getValue());
    }
    json.writeEndObject();
    json.writeNumberField("replies", record.replies());
    json.writeObjectFieldStart("frames");
    json.writeNumberField("fromFrontEnd", record.transmitted());
    json.writeNumberField("toFrontEnd", record.delivered());
    json.writeObjectFieldStart("dropped");
    for (FrameDrop reason : FrameDrop.values()) {
      json.writeNumberField(Words.label(reason), record.drops(reason));
    }
    json.writeNumberField("mirror-full", mirror.dropped());
    json.writeEndObject();
    json.writeEndObject();
    // Modelled, not measured.
    json.writeNumberField("modelledConfigMicros", record.chargedMicros());
    json.writeArrayFieldStart("brokenRules");
    for (RuleBreach breach : record.violations()) {
      json.writeStartObject();
      json.writeStringField("rule", Words.label(breach.rule()));
      json.writeStringField("what", breach.what());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("notes");
    for (String note : record.notes()) {
      json.writeString(note);
    }
    json.writeEndArray();
  }

  private static Map<String, Long> counts(BackEndRecord record) {
    return record.messages().stream()
        .collect(Collectors.groupingBy(RecordedMessage::name, TreeMap::new, Collectors.counting()));
  }
}
