package io.github.jvhost.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The output of a command, described once and printed as text or as JSON.
 *
 * <p>It is a sequence of parts. The text output joins the texts of the parts, so a line ends where
 * a format has {@code %n}. The JSON output is an object whose members are the parts with a name.
 * {@link #text} adds a part to the text, {@link #json} to the JSON, {@link #both} to both. A value
 * is a string, a number, a boolean, null, another description (an object), or a list of values.
 */
final class Shown {
  /**
   * One part. A text has no name. A member has no text of its own, but its value may contain texts.
   */
  record Part(@Nullable String name, @Nullable Object value, boolean inText) {}

  private final List<Part> parts = new ArrayList<>();

  List<Part> parts() {
    return parts;
  }

  /** Adds a piece of text, in the form that {@link String#format} takes. */
  @SuppressWarnings("AnnotateFormatMethod") // the annotation would be one more library
  Shown text(String format, @Nullable Object... values) {
    parts.add(new Part(null, String.format(Locale.ROOT, format, values), true));
    return this;
  }

  /** Adds a member. */
  Shown json(String name, @Nullable Object value) {
    parts.add(new Part(name, value, false));
    return this;
  }

  /** Adds a member with an object for each of the items. */
  <T> Shown json(String name, List<T> items, Function<T, Shown> each) {
    return json(name, objects(items, each));
  }

  /** Adds a member and its text. */
  Shown both(String name, @Nullable Object value, String format) {
    return json(name, value).text(format, value);
  }

  /**
   * Adds a member and its text. Without a value the member is null, and {@code none} is the text.
   */
  Shown both(String name, OptionalLong value, String format, String none) {
    return value.isPresent() ? both(name, value.getAsLong(), format) : both(name, null, none);
  }

  /** Adds a member whose parts have texts. Null is a member without a text. */
  Shown both(String name, @Nullable Shown object) {
    parts.add(new Part(name, object, object != null));
    return this;
  }

  /** Adds a member with an object for each of the items, whose parts have texts. */
  <T> Shown both(String name, List<T> items, Function<T, Shown> each) {
    parts.add(new Part(name, objects(items, each), true));
    return this;
  }

  /** Describes each item only when it is printed, because a capture can have a million messages. */
  private static <T> Iterable<Shown> objects(List<T> items, Function<T, Shown> each) {
    return () -> items.stream().map(each).iterator();
  }

  /** Prints the texts. */
  void printText(PrintWriter out) {
    for (Part part : parts) {
      if (part.inText()) {
        printText(part.value(), out);
      }
    }
  }

  private static void printText(@Nullable Object value, PrintWriter out) {
    switch (value) {
      case Shown object -> object.printText(out);
      case Iterable<?> objects -> objects.forEach(object -> printText(object, out));
      case null, default -> out.print(value);
    }
  }
}
