package io.github.jvhost.vmstate;

import io.github.jvhost.testkit.json.JsonTree;
import java.io.StringReader;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What a {@link JsonTree} holds, as the types that the descriptions of streams have there. */
final class JsonValues {
  private JsonValues() {}

  /** A Map, List, String or Long. */
  static Object parse(String text) {
    return Objects.requireNonNull(JsonTree.parse(new StringReader(text)));
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(@Nullable Object value) {
    return (Map<String, Object>) Objects.requireNonNull(value);
  }

  @SuppressWarnings("unchecked")
  static List<Object> list(@Nullable Object value) {
    return (List<Object>) Objects.requireNonNull(value);
  }

  /** A number, or a string that holds one in hexadecimal. */
  static long number(@Nullable Object value) {
    return value instanceof String hex
        ? Long.parseUnsignedLong(hex.substring(2), 16)
        : (Long) Objects.requireNonNull(value);
  }
}
