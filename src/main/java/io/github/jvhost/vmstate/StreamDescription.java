package io.github.jvhost.vmstate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The description at the end of a stream. It has the length of every section in one piece.
 *
 * <pre>
 *   | 06 | length u32 | {"page_size": 4096, "devices": [{"name": idstr, "instance_id": 0, "version": 11,
 *                         "fields": [{"name": "x", "type": "uint32", "size": 4}, {..., "array_len": 3}, ...],
 *                         "subsections": [{"vmsd_name": "y", "version": 1, "fields": [...]}, ...]}, ...]}
 * </pre>
 *
 * <p>The size of a field is that of one element, including all nested fields. A subsection has six
 * bytes and its name before its fields.
 *
 * @param json the whole text
 * @param entries one for each section
 * @param from the position in the text where the first entry begins or would begin; -1 if there is
 *     no place for one
 */
record StreamDescription(String json, List<Entry> entries, int from) {
  private static final int RECORD = 0x06;
  private static final int RECORD_HEADER = 5;

  /** Type byte, length of the name, version. */
  private static final int SUBSECTION_HEADER = 6;

  /**
   * One section.
   *
   * @param name idstr of the section
   * @param instance instance of the section
   * @param size size of its body, in bytes
   * @param from where the entry begins in the text
   * @param to where it ends
   */
  record Entry(String name, int instance, long size, int from, int to) {
    boolean isOf(SectionHeader header) {
      return name.equals(header.idstr()) && instance == header.instance();
    }
  }

  /** The entry of a section, if there is one. */
  Optional<Entry> entry(SectionHeader header) {
    return entries.stream().filter(entry -> entry.isOf(header)).findFirst();
  }

  /**
   * The description at the end of the bytes, if there is one. Only its length says where it begins.
   * JSON has no byte 06, so the description begins at the last byte 06 with a matching length.
   */
  static Optional<String> find(ByteBuffer rest) {
    for (int at = rest.limit() - RECORD_HEADER; at >= rest.position(); at--) {
      int length = rest.limit() - RECORD_HEADER - at;
      if (rest.get(at) == RECORD && rest.getInt(at + 1) == length) {
        byte[] json = new byte[length];
        rest.get(at + RECORD_HEADER, json);
        return Optional.of(new String(json, StandardCharsets.UTF_8));
      }
    }
    return Optional.empty();
  }

  /**
   * Reads a description.
   *
   * @throws IOException when it is not JSON or has another form; the message says what is wrong
   */
  static StreamDescription parse(String json) throws IOException {
    List<Entry> entries = new ArrayList<>();
    int from = -1;
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      expect(parser, parser.nextToken(), JsonToken.START_OBJECT);
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = key(parser);
        if ("devices".equals(key)) {
          expect(parser, parser.currentToken(), JsonToken.START_ARRAY);
          from = (int) parser.currentTokenLocation().getCharOffset() + 1;
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            entries.add(entry(parser));
          }
        } else {
          parser.skipChildren();
        }
      }
    } catch (ArithmeticException e) {
      throw new IOException("sizes beyond all reason", e);
    }
    return new StreamDescription(json, List.copyOf(entries), from);
  }

  private static Entry entry(JsonParser parser) throws IOException {
    int from = (int) parser.currentTokenLocation().getCharOffset();
    Structure structure = structure(parser);
    int to = (int) parser.currentTokenLocation().getCharOffset() + 1;
    String name = structure.name;
    if (name == null) {
      throw new IOException("a device without a name");
    }
    return new Entry(name, structure.instance, structure.size, from, to);
  }

  /** The parts of a device, a structure or a subsection that are used. */
  private static final class Structure {
    @Nullable String name;
    String description = "";
    int instance;
    long size;
  }

  private static Structure structure(JsonParser parser) throws IOException {
    expect(parser, parser.currentToken(), JsonToken.START_OBJECT);
    Structure structure = new Structure();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = key(parser);
      switch (key) {
        case "name" -> structure.name = text(parser);
        case "vmsd_name" -> structure.description = text(parser);
        case "instance_id" -> {
          expect(parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT);
          structure.instance = (int) parser.getLongValue();
        }
        case "fields" -> {
          expect(parser, parser.currentToken(), JsonToken.START_ARRAY);
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            structure.size = Math.addExact(structure.size, field(parser));
          }
        }
        case "subsections" -> {
          expect(parser, parser.currentToken(), JsonToken.START_ARRAY);
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            Structure inner = structure(parser);
            structure.size =
                Math.addExact(
                    structure.size, SUBSECTION_HEADER + inner.description.length() + inner.size);
          }
        }
        default -> parser.skipChildren();
      }
    }
    return structure;
  }

  private static long field(JsonParser parser) throws IOException {
    expect(parser, parser.currentToken(), JsonToken.START_OBJECT);
    long size = 0;
    long count = 1;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = key(parser);
      switch (key) {
        case "size" -> size = length(parser);
        case "array_len" -> count = length(parser);
        default -> parser.skipChildren();
      }
    }
    return Math.multiplyExact(size, count);
  }

  /** The name of a member. Afterwards its value is the current token. */
  private static String key(JsonParser parser) throws IOException {
    expect(parser, parser.currentToken(), JsonToken.FIELD_NAME);
    String key = parser.currentName();
    parser.nextToken();
    return key;
  }

  private static String text(JsonParser parser) throws IOException {
    expect(parser, parser.currentToken(), JsonToken.VALUE_STRING);
    return parser.getText();
  }

  private static long length(JsonParser parser) throws IOException {
    expect(parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT);
    long value = parser.getLongValue();
    if (value < 0) {
      throw new IOException("a negative size");
    }
    return value;
  }

  private static void expect(JsonParser parser, @Nullable JsonToken found, JsonToken expected)
      throws IOException {
    if (found != expected) {
      throw new IOException(
          "%s where %s belongs, at %s"
              .formatted(found, expected, parser.currentTokenLocation().getCharOffset()));
    }
  }
}
