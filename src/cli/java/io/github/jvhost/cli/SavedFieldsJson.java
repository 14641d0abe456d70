package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.vmstate.SavedField;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A saved device for scripts: groups are objects, rings an array in the order of their indexes,
 * addresses and bits are strings in hexadecimal.
 */
final class SavedFieldsJson {
  private static final Pattern WORD_START = Pattern.compile("[^a-z0-9]+([a-z0-9])");

  private SavedFieldsJson() {}

  /** Members of the object that is open. */
  static void members(JsonGenerator json, List<SavedField> fields) throws IOException {
    Map<String, List<SavedField>> groups = new LinkedHashMap<>();
    for (SavedField field : fields) {
      groups.computeIfAbsent(field.group(), _ -> new ArrayList<>()).add(field);
    }
    values(json, groups.getOrDefault("", List.of()));
    for (Map.Entry<String, List<SavedField>> group : groups.entrySet()) {
      if (!group.getKey().isEmpty() && !group.getKey().startsWith("ring ")) {
        json.writeObjectFieldStart(key(group.getKey()));
        values(json, group.getValue());
        json.writeEndObject();
      }
    }
    json.writeArrayFieldStart("rings");
    for (Map.Entry<String, List<SavedField>> group : groups.entrySet()) {
      if (group.getKey().startsWith("ring ")) {
        json.writeStartObject();
        values(json, group.getValue());
        json.writeEndObject();
      }
    }
    json.writeEndArray();
  }

  private static void values(JsonGenerator json, List<SavedField> fields) throws IOException {
    for (SavedField field : fields) {
      json.writeFieldName(key(field.name()));
      value(json, field.value());
    }
  }

  /** A value, or null where the device has no such field. */
  static void valueOrNull(JsonGenerator json, SavedField.@Nullable Value value) throws IOException {
    if (value == null) {
      json.writeNull();
    } else {
      value(json, value);
    }
  }

  private static void value(JsonGenerator json, SavedField.Value value) throws IOException {
    switch (value) {
      case SavedField.Count(long number) -> json.writeNumber(number);
      case SavedField.Hex hex -> json.writeString(hex.text());
      case SavedField.Flag(boolean set) -> json.writeBoolean(set);
      case SavedField.Text(String text) -> {
        if (text.isEmpty()) {
          json.writeNull();
        } else {
          json.writeString(text);
        }
      }
      case SavedField.Names(var names) -> {
        json.writeStartArray();
        for (String name : names) {
          json.writeString(name);
        }
        json.writeEndArray();
      }
      case SavedField.Opaque(var bytes) -> {
        json.writeStartObject();
        json.writeNumberField("bytes", bytes.size());
        json.writeEndObject();
      }
      case SavedField.Raw(var bytes) -> json.writeString(bytes.toHex());
    }
  }

  /** "guest offloads" as "guestOffloads". */
  static String key(String words) {
    Matcher starts = WORD_START.matcher(words.replace("'", ""));
    return starts.replaceAll(start -> start.group(1).toUpperCase(Locale.ROOT));
  }
}
