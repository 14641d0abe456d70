package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.testkit.scenario.RunResult;
import io.github.jvhost.testkit.scenario.ScenarioOptions;
import io.github.jvhost.testkit.scenario.TimeLine;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The results of a demo as one JSON object. */
final class DemoJson {
  private DemoJson() {}

  static void write(List<RunResult> results, PrintWriter out) {
    JsonText.print(
        out,
        json -> {
          json.writeArrayFieldStart("runs");
          for (RunResult result : results) {
            run(json, result);
          }
          json.writeEndArray();
        });
  }

  private static void run(JsonGenerator json, RunResult r) throws IOException {
    json.writeStartObject();
    json.writeStringField("presetup", r.options().variant().label());
    json.writeNumberField("devices", r.options().devices());
    json.writeNumberField("queuePairs", r.options().queuePairs());
    options(json, r.options());
    json.writeStringField("ranOn", r.ranOn());
    json.writeObjectFieldStart("stopWindow");
    json.writeNumberField("sourceMicros", r.sourceMicros());
    json.writeNumberField("destinationMicros", r.destinationMicros());
    json.writeNumberField("messages", r.messages());
    json.writeNumberField("waits", r.waits());
    json.writeNumberField("sourceMessages", r.sourceMessages());
    json.writeNumberField("sourceWaits", r.sourceWaits());
    json.writeEndObject();
    // Modelled, not measured: what the mock back end's hardware model charged in the window.
    json.writeNumberField("backEndConfigMicros", r.backEndConfigMicros());
    json.writeBooleanField("backEndConfigIsModelled", !r.options().dpdk());
    json.writeObjectFieldStart("ram");
    json.writeNumberField("totalPages", r.totalPages());
    json.writeNumberField("finalRoundPages", r.finalRoundPages());
    json.writeNumberField("residentShare", r.residentShare());
    json.writeBooleanField("checksumOk", r.checksumOk());
    json.writeEndObject();
    ping(json, r);
    json.writeObjectFieldStart("phases");
    for (Map.Entry<String, Long> phase : r.phases().entrySet()) {
      json.writeNumberField(phase.getKey(), phase.getValue());
    }
    json.writeEndObject();
    json.writeArrayFieldStart("plan");
    for (RunResult.DeviceStep step : r.plan()) {
      json.writeStartObject();
      json.writeStringField("device", step.device());
      json.writeStringField("field", step.field());
      nullable(json, "from", step.before());
      nullable(json, "to", step.after());
      json.writeStringField("reason", step.reason());
      json.writeEndObject();
    }
    json.writeEndArray();
    timeLine(json, r.timeLine());
    nullable(json, "fallback", r.fallback());
    json.writeArrayFieldStart("problems");
    for (String problem : r.problems()) {
      json.writeString(problem);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void options(JsonGenerator json, ScenarioOptions o) throws IOException {
    json.writeNumberField("memoryBytes", o.memoryBytes());
    json.writeStringField("backEnd", o.dpdk() ? "dpdk-testpmd" : "mock");
    // Both are the mock's alone.
    nullable(json, "personality", o.dpdk() ? null : Words.label(o.personality()));
    nullable(json, "hardwareModel", o.dpdk() ? null : o.hardware().name());
    json.writeStringField("change", Words.label(o.change()));
    json.writeStringField("fail", Words.label(o.failure()));
  }

  private static void timeLine(JsonGenerator json, TimeLine line) throws IOException {
    json.writeObjectFieldStart("timeLine");
    json.writeArrayFieldStart("moments");
    for (TimeLine.Moment moment : line.moments()) {
      json.writeStartObject();
      json.writeStringField("name", moment.name());
      json.writeNumberField("nanos", moment.nanos());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("lanes");
    for (TimeLine.Lane lane : line.lanes()) {
      lane(json, lane);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void lane(JsonGenerator json, TimeLine.Lane lane) throws IOException {
    json.writeStartObject();
    json.writeStringField("side", lane.side());
    json.writeStringField("device", lane.device());
    json.writeArrayFieldStart("messages");
    for (TimeLine.Told told : lane.messages()) {
      json.writeStartObject();
      json.writeNumberField("nanos", told.nanos());
      json.writeStringField("name", told.name());
      json.writeStringField("payload", told.payload());
      json.writeBooleanField("answered", told.answered());
      json.writeNumberField("descriptors", told.descriptors());
      json.writeNumberField("connection", told.connection());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("modelledWork");
    for (TimeLine.Charge charge : lane.charges()) {
      json.writeStartObject();
      json.writeNumberField("nanos", charge.nanos());
      json.writeNumberField("micros", charge.micros());
      json.writeStringField("what", charge.what());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void ping(JsonGenerator json, RunResult r) throws IOException {
    json.writeObjectFieldStart("ping");
    json.writeNumberField("sent", r.outbound().sent());
    json.writeNumberField("answered", r.outbound().answered());
    RunResult.Pings inbound = r.inbound();
    if (inbound != null) {
      json.writeNumberField("inboundSent", inbound.sent());
      json.writeNumberField("inboundAnswered", inbound.answered());
    }
    json.writeNumberField("droppedByBackEnd", r.droppedByBackEnd());
    json.writeNumberField("lost", r.lost());
    json.writeNumberField("longestGapMicros", r.longestGapMicros());
    Long inboundGap = r.inboundLongestGapMicros();
    if (inboundGap == null) {
      json.writeNullField("inboundLongestGapMicros");
    } else {
      json.writeNumberField("inboundLongestGapMicros", inboundGap);
    }
    json.writeBooleanField("recovered", r.recovered());
    json.writeEndObject();
  }

  private static void nullable(JsonGenerator json, String field, @Nullable String value)
      throws IOException {
    if (value == null) {
      json.writeNullField(field);
    } else {
      json.writeStringField(field, value);
    }
  }
}
