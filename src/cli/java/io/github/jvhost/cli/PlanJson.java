package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.vhost.PlanPreviewTraffic;
import io.github.jvhost.vhost.plan.Plan;
import io.github.jvhost.vhost.plan.PlannedStep;
import java.io.IOException;

/** A plan for scripts. */
final class PlanJson {
  private PlanJson() {}

  /** A member with the plan's steps and what it costs. */
  static void plan(JsonGenerator json, String name, Plan plan) throws IOException {
    json.writeObjectFieldStart(name);
    counts(json, plan);
    json.writeArrayFieldStart("steps");
    for (PlannedStep step : plan.steps()) {
      json.writeStartObject();
      json.writeStringField("field", step.field());
      json.writeStringField("before", step.before() == null ? null : step.before().toString());
      json.writeStringField("after", step.after() == null ? null : step.after().toString());
      json.writeStringField("why", step.why().text());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  /** A member with what the plan costs. */
  static void traffic(JsonGenerator json, String name, Plan plan) throws IOException {
    json.writeObjectFieldStart(name);
    counts(json, plan);
    json.writeEndObject();
  }

  private static void counts(JsonGenerator json, Plan plan) throws IOException {
    PlanPreviewTraffic traffic = PlanPreviewTraffic.of(plan);
    json.writeNumberField("messages", traffic.messages());
    json.writeNumberField("awaitedReplies", traffic.replies());
  }
}
