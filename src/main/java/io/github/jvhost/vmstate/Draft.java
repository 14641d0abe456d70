package io.github.jvhost.vmstate;

import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values that rows have: those of a state that is written, or those that were read so far of
 * one that is not whole yet. Conditions and counts ask a draft, and so are the same in both
 * directions.
 *
 * @param <S> what is saved
 */
final class Draft<S> {
  private final @Nullable S state;
  private final Map<Row<S, ?>, Object> read;

  private Draft(@Nullable S state, Map<Row<S, ?>, Object> read) {
    this.state = state;
    this.read = read;
  }

  /** Of a state that is read: nothing is known yet. */
  static <S> Draft<S> empty() {
    return new Draft<>(null, new IdentityHashMap<>());
  }

  /** Of a state that is written. */
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

  /** For a state that is read only. */
  <T> void set(Row<S, T> row, T value) {
    read.put(row, value);
  }
}
