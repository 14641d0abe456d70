package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.testkit.probe.EarlyPart;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import io.github.jvhost.testkit.probe.ProbeResult;
import io.github.jvhost.testkit.trace.SortedTimes;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/** What a back end is, for scripts. */
final class ProbeJson {
  private ProbeJson() {}

  static void print(PrintWriter out, Path socket, ProbeResult result, boolean net) {
    JsonText.print(out, json -> write(json, socket, result, net));
  }

  private static void write(JsonGenerator json, Path socket, ProbeResult result, boolean net)
      throws IOException {
    json.writeStringField("socket", socket.toString());
    json.writeStringField("dialect", Words.label(result.dialect()));
    features(json, "features", result.features(), FeatureWords.names(result.features(), net));
    if (result.protocolFeatures().isPresent()) {
      long bits = result.protocolFeatures().getAsLong();
      features(json, "protocolFeatures", bits, FeatureWords.protocolNames(bits, result.dialect()));
    } else {
      json.writeNullField("protocolFeatures");
    }
    number(json, "queues", result.queues());
    number(json, "memorySlots", result.memorySlots());
    if (result.status().isPresent()) {
      json.writeNumberField("status", result.status().getAsInt());
    } else {
      json.writeNullField("status");
    }
    json.writeBooleanField("canLog", result.canLog());
    json.writeArrayFieldStart("warnings");
    for (ProbeResult.Warning warning : result.warnings()) {
      json.writeString(Words.label(warning));
    }
    json.writeEndArray();
    json.writeArrayFieldStart("presetup");
    for (PresetupVerdict verdict : result.presetup()) {
      json.writeStartObject();
      verdict(json, verdict);
      json.writeEndObject();
    }
    json.writeEndArray();
    SortedTimes replies = result.replies();
    json.writeObjectFieldStart("replyMicros");
    json.writeNumberField("count", replies.count());
    json.writeNumberField("median", replies.percentile(50) / 1e3);
    json.writeNumberField("p90", replies.percentile(90) / 1e3);
    json.writeNumberField("p99", replies.percentile(99) / 1e3);
    json.writeNumberField("longest", replies.percentile(100) / 1e3);
    json.writeEndObject();
    json.writeArrayFieldStart("acknowledged");
    for (String name : FeatureWords.protocolNames(result.acknowledged(), result.dialect())) {
      json.writeString(name);
    }
    json.writeEndArray();
  }

  private static void verdict(JsonGenerator json, PresetupVerdict verdict) throws IOException {
    switch (verdict.way()) {
      case PresetupVerdict.Explicit(Dialect dialect) -> {
        json.writeStringField("way", "explicit");
        json.writeStringField("dialect", Words.label(dialect));
        json.writeNumberField("bit", dialect.presetup().orElseThrow().bit());
      }
      case PresetupVerdict.Implicit(BackEndProfile profile) -> {
        json.writeStringField("way", "implicit");
        json.writeStringField("profile", Words.label(profile));
      }
    }
    json.writeBooleanField("possible", verdict.possible());
    json.writeStringField("reason", Words.label(verdict.reason()));
    json.writeArrayFieldStart("early");
    for (EarlyPart part : verdict.early()) {
      json.writeString(Words.label(part));
    }
    json.writeEndArray();
  }

  private static void features(JsonGenerator json, String name, long bits, List<String> names)
      throws IOException {
    json.writeObjectFieldStart(name);
    json.writeStringField("bits", "0x" + Long.toHexString(bits));
    json.writeArrayFieldStart("names");
    for (String each : names) {
      json.writeString(each);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void number(JsonGenerator json, String name, OptionalLong number)
      throws IOException {
    if (number.isPresent()) {
      json.writeNumberField(name, number.getAsLong());
    } else {
      json.writeNullField(name);
    }
  }
}
