package io.github.jvhost.mediate;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.virtio.NetFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Answers to an operator's requests: one JSON object a line. docs/mediate.md shows them; each has
 * the member {@code ok}, and one that is not ok has {@code error}, a sentence.
 */
final class ControlAnswer {
  private ControlAnswer() {}

  private interface Members {
    void write(JsonGenerator json) throws IOException;
  }

  private static byte[] line(boolean ok, Members members) {
    var out = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(out, JsonEncoding.UTF8)) {
      json.writeStartObject();
      json.writeBooleanField("ok", ok);
      members.write(json);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a byte array never fails
    }
    out.write('\n');
    return out.toByteArray();
  }

  static byte[] failed(VhostException why) {
    return line(
        false,
        json -> {
          json.writeStringField("error", why.getMessage());
          json.writeBooleanField("again", why.recovery() != Recovery.GIVE_UP);
        });
  }

  static byte[] moved(String nic, MoveResult result) {
    return line(
        true,
        json -> {
          json.writeStringField("nic", nic);
          json.writeStringField("switch", result.to());
          json.writeNumberField("micros", result.micros());
        });
  }

  static byte[] standby(String nic, @Nullable String address) {
    return line(
        true,
        json -> {
          json.writeStringField("nic", nic);
          json.writeStringField("standby", address);
        });
  }

  static byte[] status(List<NicStatus> nics) {
    return line(
        true,
        json -> {
          json.writeArrayFieldStart("nics");
          for (NicStatus nic : nics) {
            write(json, nic);
          }
          json.writeEndArray();
        });
  }

  private static void write(JsonGenerator json, NicStatus nic) throws IOException {
    json.writeStartObject();
    json.writeStringField("nic", nic.name());
    json.writeStringField("state", nic.state());
    json.writeBooleanField("logging", nic.logging());
    json.writeStringField("switch", nic.theSwitch());
    writeStandby(json, nic.standby());
    json.writeStringField("features", "0x" + HexFormat.of().toHexDigits(nic.features()));
    json.writeArrayFieldStart("featureNames");
    for (String name : names(nic.features())) {
      json.writeString(name);
    }
    json.writeEndArray();
    json.writeArrayFieldStart("rings");
    for (NicStatus.Ring ring : nic.rings()) {
      json.writeStartObject();
      json.writeNumberField("size", ring.size());
      json.writeBooleanField("enabled", ring.enabled());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNumberField("messages", nic.messages());
    json.writeNumberField("messagesToTheSwitch", nic.messagesToTheSwitch());
    writePresetup(json, nic.presetup());
    writeStart(json, nic.lastStart());
    json.writeStringField("lastFailure", nic.lastFailure());
    json.writeStringField("notSaved", nic.notSaved());
    json.writeEndObject();
  }

  private static List<String> names(long features) {
    List<String> names = new ArrayList<>();
    long ofTheDevice = features & ~(VhostFeature.PROTOCOL_FEATURES | VhostFeature.LOG_ALL);
    if (ofTheDevice != 0) {
      names.addAll(List.of(NetFeature.describe(ofTheDevice).split("\\|", -1)));
    }
    if ((features & VhostFeature.LOG_ALL) != 0) {
      names.add("LOG_ALL");
    }
    if ((features & VhostFeature.PROTOCOL_FEATURES) != 0) {
      names.add("PROTOCOL_FEATURES");
    }
    return names;
  }

  private static void writeStandby(JsonGenerator json, NicStatus.@Nullable Standby standby)
      throws IOException {
    if (standby == null) {
      json.writeNullField("standby");
      return;
    }
    json.writeObjectFieldStart("standby");
    json.writeStringField("switch", standby.theSwitch());
    json.writeBooleanField("ready", standby.ready());
    json.writeEndObject();
  }

  private static void writePresetup(JsonGenerator json, NicStatus.@Nullable Presetup presetup)
      throws IOException {
    if (presetup == null) {
      json.writeNullField("presetup");
      return;
    }
    json.writeObjectFieldStart("presetup");
    json.writeStringField("from", presetup.from());
    json.writeBooleanField("complete", presetup.complete());
    json.writeNumberField("messages", presetup.messages());
    json.writeNumberField("micros", presetup.micros());
    json.writeEndObject();
  }

  private static void writeStart(JsonGenerator json, NicStatus.@Nullable Start start)
      throws IOException {
    if (start == null) {
      json.writeNullField("lastStart");
      return;
    }
    json.writeObjectFieldStart("lastStart");
    json.writeNumberField("messages", start.messages());
    json.writeNumberField("micros", start.micros());
    json.writeArrayFieldStart("steps");
    for (String step : start.steps()) {
      json.writeString(step);
    }
    json.writeEndArray();
    json.writeEndObject();
  }
}
