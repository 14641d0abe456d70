package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.testkit.trace.Capture;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureEvent;
import io.github.jvhost.testkit.trace.CapturedMessage;
import io.github.jvhost.testkit.trace.MessageLine;
import io.github.jvhost.testkit.trace.PhaseCost;
import io.github.jvhost.testkit.trace.TracedRequest;
import io.github.jvhost.testkit.trace.TracedSession;
import io.github.jvhost.testkit.trace.WhatIf;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;

/** A capture for scripts. */
final class TraceJson {
  private TraceJson() {}

  static void print(
      PrintWriter out,
      String file,
      Capture capture,
      List<CaptureEntry> shown,
      List<TracedSession> sessions,
      boolean whatIf) {
    JsonText.print(
        out,
        json -> {
          json.writeStringField("capture", file);
          json.writeStringField("listen", capture.listen());
          json.writeStringField("connect", capture.connect());
          json.writeStringField("started", capture.started().toString());
          json.writeStringField("dialect", Words.label(capture.dialect()));
          json.writeBooleanField("cutOff", capture.cutOff());
          json.writeArrayFieldStart("entries");
          for (CaptureEntry entry : shown) {
            json.writeStartObject();
            entry(json, entry);
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeArrayFieldStart("sessions");
          for (TracedSession session : sessions) {
            json.writeStartObject();
            session(json, session);
            if (whatIf) {
              whatIf(json, WhatIf.of(session));
            }
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  private static void entry(JsonGenerator json, CaptureEntry entry) throws IOException {
    json.writeNumberField("atMicros", entry.nanos() / 1e3);
    json.writeNumberField("session", entry.session());
    switch (entry) {
      case CaptureEvent event -> {
        json.writeStringField("event", event.connected() ? "connected" : "ended");
        json.writeStringField("why", event.why());
      }
      case CapturedMessage message -> {
        json.writeStringField("way", Words.label(message.route()));
        json.writeStringField("name", message.name());
        json.writeNumberField("flags", message.flags());
        json.writeNumberField("bytes", message.size());
        json.writeNumberField("descriptors", message.descriptors());
        json.writeStringField("payload", MessageLine.of(message.payload()));
      }
    }
  }

  private static void session(JsonGenerator json, TracedSession session) throws IOException {
    json.writeNumberField("session", session.session());
    json.writeArrayFieldStart("phases");
    for (PhaseCost cost : session.costs()) {
      json.writeStartObject();
      json.writeStringField("phase", Words.label(cost.phase()));
      json.writeNumberField("timeMicros", cost.nanos() / 1e3);
      json.writeNumberField("messages", cost.messages());
      json.writeNumberField("replies", cost.replies());
      json.writeNumberField("waits", cost.waits());
      json.writeNumberField("waitingMicros", cost.waitedNanos() / 1e3);
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("slowest");
    for (TracedRequest request : session.slowest(TraceText.SLOWEST)) {
      json.writeStartObject();
      json.writeStringField("name", request.request().name());
      json.writeStringField("phase", Words.label(request.phase()));
      json.writeNumberField("atMicros", request.request().nanos() / 1e3);
      json.writeNumberField("replyMicros", request.replyNanos() / 1e3);
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void whatIf(JsonGenerator json, WhatIf estimate) throws IOException {
    json.writeObjectFieldStart("setUp");
    json.writeObjectFieldStart("recorded");
    cost(json, estimate.recorded(), "waitingMicros");
    json.writeEndObject();
    json.writeArrayFieldStart("estimates");
    for (WhatIf.Variant variant : estimate.variants()) {
      json.writeStartObject();
      json.writeStringField("name", variant.name());
      json.writeNumberField("early", variant.early());
      cost(json, variant.window(), "modelledWaitingMicros");
      json.writeStringField("note", variant.note());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void cost(JsonGenerator json, WhatIf.Cost cost, String time) throws IOException {
    json.writeNumberField("messages", cost.messages());
    json.writeNumberField("waits", cost.waits());
    json.writeNumberField(time, cost.nanos() / 1e3);
  }
}
