package io.github.jvhost.vmstate;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;

/**
 * Writes a {@link Layout} as a part of the description at the end of a stream.
 *
 * <pre>
 *   "vmsd_name": "virtio", "version": 1,
 *   "fields": [{"name": "status", "type": "uint8", "size": 1},
 *              {"name": "vq", "array_len": 3, "type": "struct", "struct": {"vmsd_name": ..., "fields": [...]}, "size": 14}, ...],
 *   "subsections": [{"vmsd_name": "virtio/started", "version": 1, "fields": [...]}, ...]
 * </pre>
 */
final class LayoutJson {
  private LayoutJson() {}

  /** Writes the members of an object that describes the structure. The caller writes the object. */
  static void members(JsonGenerator json, Layout.Structure structure) throws IOException {
    json.writeStringField("vmsd_name", structure.name());
    json.writeNumberField("version", structure.version());
    fields(json, structure.fields());
    if (!structure.subsections().isEmpty()) {
      json.writeArrayFieldStart("subsections");
      for (Layout.Structure subsection : structure.subsections()) {
        json.writeStartObject();
        members(json, subsection);
        json.writeEndObject();
      }
      json.writeEndArray();
    }
  }

  /** Writes the member "fields" of an object. */
  static void fields(JsonGenerator json, List<Layout.Named> fields) throws IOException {
    json.writeArrayFieldStart("fields");
    for (Layout.Named field : fields) {
      if (field.layout().size() == 0 && field.layout() instanceof Layout.Array) {
        continue; // QEMU's descriptions leave out empty arrays
      }
      json.writeStartObject();
      json.writeStringField("name", field.name());
      field(json, field.layout());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void field(JsonGenerator json, Layout layout) throws IOException {
    switch (layout) {
      case Layout.Leaf leaf -> {
        json.writeStringField("type", leaf.type());
        json.writeNumberField("size", leaf.size());
      }
      case Layout.Array array -> {
        json.writeNumberField("array_len", array.count());
        field(json, array.element());
      }
      case Layout.Structure structure -> {
        json.writeStringField("type", "struct");
        json.writeObjectFieldStart("struct");
        members(json, structure);
        json.writeEndObject();
        json.writeNumberField("size", structure.size());
      }
      case Layout.Group group ->
          throw new IllegalStateException("a group is dissolved in its structure: " + group);
    }
  }
}
