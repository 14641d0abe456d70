package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * As much of JSON as the descriptions of the sample streams need: objects, arrays, plain strings
 * and whole numbers.
 */
final class MiniJson {
  private final String text;
  private int at;

  private MiniJson(String text) {
    this.text = text;
  }

  /** A Map, List, String or Long. */
  static Object parse(String text) {
    return new MiniJson(text).value();
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

  private Object value() {
    return switch (peek()) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> string();
      default -> integer();
    };
  }

  private char peek() {
    while (" \n\r\t,:".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    return text.charAt(at);
  }

  private Map<String, Object> object() {
    Map<String, Object> map = new LinkedHashMap<>();
    at++;
    while (peek() != '}') {
      String key = string();
      map.put(key, value());
    }
    at++;
    return map;
  }

  private List<Object> array() {
    List<Object> list = new ArrayList<>();
    at++;
    while (peek() != ']') {
      list.add(value());
    }
    at++;
    return list;
  }

  private String string() {
    int end = text.indexOf('"', at + 1);
    String string = text.substring(at + 1, end);
    at = end + 1;
    return string;
  }

  private Long integer() {
    int end = at;
    while ("-0123456789".indexOf(text.charAt(end)) >= 0) {
      end++;
    }
    Long number = Long.valueOf(text.substring(at, end));
    at = end;
    return number;
  }
}
