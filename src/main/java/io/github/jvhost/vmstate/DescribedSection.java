package io.github.jvhost.vmstate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A section in one piece that was written, for its entry in the description at the end of the
 * stream.
 *
 * @param header of the section
 * @param body the written body
 * @param size size of the body in bytes
 */
record DescribedSection(SectionHeader header, SectionBody body, int size) {

  /**
   * The description of a stream, with every field that is known.
   *
   * @param configuration layout of the configuration, if the stream has one
   */
  static String json(
      Layout.@Nullable Structure configuration, int pageSize, List<DescribedSection> sections) {
    return text(json -> {
      json.writeStartObject();
      if (configuration != null) {
        json.writeObjectFieldStart("configuration");
        LayoutJson.members(json, configuration);
        json.writeEndObject();
      }
      json.writeNumberField("page_size", pageSize);
      json.writeArrayFieldStart("devices");
      for (DescribedSection section : sections) {
        section.write(json);
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /**
   * Corrects a description that was read, for sections that were written differently. The rest of
   * its text stays.
   *
   * @throws VmStateException when the description cannot be read
   */
  static String corrected(String json, List<DescribedSection> written) {
    StreamDescription read;
    try {
      read = StreamDescription.parse(json);
    } catch (IOException e) {
      throw new VmStateException("description", "", 0, "a description: " + e.getMessage());
    }
    if (read.from() < 0) {
      return json;
    }
    List<String> entries = new ArrayList<>();
    int end = read.from();
    for (StreamDescription.Entry entry : read.entries()) {
      end = entry.to();
      written.stream()
          .filter(section -> entry.isOf(section.header))
          .findFirst()
          .ifPresent(section ->
              entries.add(
                  entry.size() == section.size
                      ? json.substring(entry.from(), entry.to())
                      : text(section::write)));
    }
    for (DescribedSection section : written) {
      if (read.entry(section.header).isEmpty()) {
        entries.add(text(section::write));
      }
    }
    return json.substring(0, read.from()) + String.join(", ", entries) + json.substring(end);
  }

  private interface Writing {
    void to(JsonGenerator json) throws IOException;
  }

  private static String text(Writing writing) {
    var text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      writing.to(json);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a StringWriter throws none
    }
    return text.toString();
  }

  private void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", header.idstr());
    json.writeNumberField("instance_id", header.instance());
    switch (body) {
      case SectionBody.VirtioNet(var state) ->
          LayoutJson.members(json, VirtioNetVmState.layout(kind(), state));
      // Only the length of another device is known.
      case SectionBody.Opaque _, SectionBody.Ram _ -> {
        json.writeNumberField("version", header.version());
        LayoutJson.fields(json, List.of(new Layout.Named("data", new Layout.Leaf("buffer", size))));
      }
    }
    json.writeEndObject();
  }

  private DeviceRecord.Kind kind() {
    return NetSectionName.parse(header.idstr())
        .map(NetSectionName::kind)
        .orElse(DeviceRecord.Kind.FINAL);
  }
}
