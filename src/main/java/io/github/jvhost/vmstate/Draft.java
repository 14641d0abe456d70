package io.github.jvhost.vmstate;

import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values of rows: from a state that is written, or from the part of a state that was read so
 * far. Conditions and counts use a draft, so they are the same for reading and writing.
 *
 * @param <S> the saved state
 */
final class Draft<S> {
  private final @Nullable S state;
  private final Map<Row<S, ?>, Object> read;

  private Draft(@Nullable S state, Map<Row<S, ?>, Object> read) {
    this.state = state;
    this.read = read;
  }

  /** A draft for a state that is read. It has no values yet. */
  static <S> Draft<S> empty() {
    return new Draft<>(null, new IdentityHashMap<>());
  }

  /** A draft for a state that is written. */
  static <S> Draft<S> of(S state) {
    return new Draft<>(state, Map.of());
  }

  @SuppressWarnings("unchecked") // set() takes no other value for this row.
  <T> T get(Row<S, T> row) {
    if (state != null) {
      return row.in(state);
    }
    Object value = read.get(row);
    return value == null ? row.absent() : (T) value;
  }

  /** Sets a value. Only for a state that is read. */
  <T> void set(Row<S, T> row, T value) {
    read.put(row, value);
  }
}
