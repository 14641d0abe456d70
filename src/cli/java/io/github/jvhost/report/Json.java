package io.github.jvhost.report;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.json.JsonTree;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A value in a JSON text, with its place for error messages: "runs[1].stopWindow.messages is
 * missing". Immutable.
 */
public final class Json {
  private final String place;
  private final @Nullable Object value;

  private Json(String place, @Nullable Object value) {
    this.place = place;
    this.value = value;
  }

  /**
   * Reads one value. Nothing may follow it.
   *
   * @throws IOException when it cannot be read or is no JSON
   */
  static Json read(Reader text) throws IOException {
    try {
      return new Json("", JsonTree.parse(text));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /**
   * The same of a text at hand.
   *
   * @param whose text it is, for the message
   * @throws VhostException (GIVE_UP) when it is no JSON
   */
  public static Json of(String text, String whose) {
    try {
      return read(new StringReader(text));
    } catch (IOException e) {
      throw new VhostException(whose + ": this is no JSON: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  /** Returns a member of an object. It must exist, and may be null. */
  public Json at(String name) {
    String there = place.isEmpty() ? name : place + "." + name;
    if (!(value instanceof Map<?, ?> members)) {
      throw wrong("an object");
    }
    if (!members.containsKey(name)) {
      throw new VhostException(there + " is missing", Recovery.GIVE_UP);
    }
    return new Json(there, members.get(name));
  }

  /** Returns true if an object has this member. */
  boolean has(String name) {
    return value instanceof Map<?, ?> members && members.containsKey(name);
  }

  /** Returns true if it is null. */
  public boolean isNull() {
    return value == null;
  }

  /** Returns an object's members, in order. */
  Map<String, Json> members() {
    if (!(value instanceof Map<?, ?> members)) {
      throw wrong("an object");
    }
    Map<String, Json> all = new LinkedHashMap<>();
    members.keySet().forEach(name -> all.put(String.valueOf(name), at(String.valueOf(name))));
    return all;
  }

  /** Returns an array's elements. */
  public List<Json> elements() {
    if (!(value instanceof List<?> elements)) {
      throw wrong("an array");
    }
    List<Json> all = new ArrayList<>();
    for (Object element : elements) {
      all.add(new Json("%s[%d]".formatted(place, all.size()), element));
    }
    return all;
  }

  /** Returns a text. */
  public String text() {
    if (value instanceof String text) {
      return text;
    }
    throw wrong("a text");
  }

  /** Returns a text, or null. */
  public @Nullable String textOrNull() {
    return isNull() ? null : text();
  }

  /** Returns true or false. */
  public boolean truth() {
    if (value instanceof Boolean truth) {
      return truth;
    }
    throw wrong("true or false");
  }

  /** Returns a whole number. */
  public long number() {
    if (value instanceof Long number) {
      return number;
    }
    throw wrong("a whole number");
  }

  /** Returns a whole number of 0 or more. */
  public long count() {
    long number = number();
    if (number < 0) {
      throw wrong("a number of 0 or more");
    }
    return number;
  }

  @Nullable Long countOrNull() {
    return isNull() ? null : count();
  }

  /** Returns a number from 0 to 1. */
  double share() {
    double share =
        value instanceof Double d ? d : value instanceof Long l ? (double) (long) l : Double.NaN;
    if (share >= 0 && share <= 1) {
      return share;
    }
    throw wrong("a number from 0 to 1");
  }

  private VhostException wrong(String wanted) {
    return new VhostException(
        "%s is not %s".formatted(place.isEmpty() ? "what stands there" : place, wanted),
        Recovery.GIVE_UP);
  }
}
