package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/** Prints the output of a command as one JSON object. */
final class JsonText {
  private JsonText() {}

  static void print(PrintWriter out, Shown shown) {
    var text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.useDefaultPrettyPrinter();
      write(json, shown);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a StringWriter throws none
    }
    out.println(text);
    out.flush();
  }

  private static void write(JsonGenerator json, @Nullable Object value) throws IOException {
    switch (value) {
      case Shown object -> {
        json.writeStartObject();
        for (Shown.Part part : object.parts()) {
          if (part.name() != null) {
            json.writeFieldName(part.name());
            write(json, part.value());
          }
        }
        json.writeEndObject();
      }
      case Iterable<?> values -> {
        json.writeStartArray();
        for (Object each : values) {
          write(json, each);
        }
        json.writeEndArray();
      }
      case null, default -> json.writePOJO(value); // a string, a number, a boolean
    }
  }
}
