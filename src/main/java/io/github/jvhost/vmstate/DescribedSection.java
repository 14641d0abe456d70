package io.github.jvhost.vmstate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A section in one piece that was written, as the description at the end of the stream is to have
 * it.
 *
 * @param header of the section
 * @param body that was written
 * @param size of it in bytes
 */
record DescribedSection(SectionHeader header, SectionBody body, int size) {

  /** The description of sections, with every field that is known. */
  static String json(int pageSize, List<DescribedSection> sections) {
    return text(json -> {
      json.writeStartObject();
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
   * A description that was read, put right where sections were written otherwise. Its text stays
   * wherever nothing changed.
   *
   * @throws VmStateException when it cannot be read
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
      throw new UncheckedIOException(e); // a StringWriter has none
    }
    return text.toString();
  }

  private void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", header.idstr());
    json.writeNumberField("instance_id", header.instance());
    json.writeNumberField("version", header.version());
    json.writeArrayFieldStart("fields");
    json.writeStartObject();
    json.writeStringField("name", "data");
    json.writeStringField("type", "buffer");
    json.writeNumberField("size", size);
    json.writeEndObject();
    json.writeEndArray();
    json.writeEndObject();
  }
}
