package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One value of a state that is shown to people.
 *
 * @param <S> the state
 * @param group the group of the field
 * @param name the name within the group, in lower-case words
 * @param value finds the value; null if the state has no such field
 */
record View<S>(Group group, String name, Value<S> value) {
  static final Function<Integer, SavedField.Value> COUNT =
      n -> new SavedField.Count(Integer.toUnsignedLong(n));
  static final Function<Integer, SavedField.Value> HEX =
      bits -> new SavedField.Hex(Integer.toUnsignedLong(bits));
  static final Function<Long, SavedField.Value> HEX64 = SavedField.Hex::new;
  static final Function<Boolean, SavedField.Value> FLAG = SavedField.Flag::new;
  static final Function<Bytes, SavedField.Value> RAW = SavedField.Raw::new;

  /** Shows each element by its own text. */
  static final Function<List<?>, SavedField.Value> LIST =
      list -> new SavedField.Names(list.stream().map(String::valueOf).toList());

  /** Finds the value. */
  interface Value<S> {
    SavedField.@Nullable Value in(S state);
  }

  /** The groups of fields, in the order in which they are shown. */
  enum Group {
    TRANSPORT(""),
    COMMON(""),
    NET(""),
    FILTERS("filters"),
    RSS("rss"),
    RING("ring"),
    /** Not shown. */
    NONE("");

    private final String words;

    Group(String words) {
      this.words = words;
    }

    String words() {
      return words;
    }
  }

  /** The names of bits, from the text of a {@code describe} method. */
  static SavedField.Value names(String joined) {
    boolean none = joined.equals("none") || joined.equals("0");
    return new SavedField.Names(none ? List.of() : Arrays.asList(joined.split("\\|")));
  }
}
