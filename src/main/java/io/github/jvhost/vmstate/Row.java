package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * A saved field: its name and its encoding in the stream, its accessor in the state, and how it is
 * shown to people. The {@link Description} that contains the row gives its place in the stream.
 *
 * <pre>
 *   FilterState --get--> value --wire--> bytes          written
 *   FilterState &lt;--its constructor-- Draft &lt;--wire-- bytes      read: {@link Draft} holds the value under this row
 * </pre>
 *
 * @param <S> the saved state
 * @param <T> the type of the value
 * @param name the name in QEMU
 * @param wire the encoding of a value in the stream
 * @param count the number of bytes or elements, for an encoding that needs a count
 * @param get the value in a state; null where the state has no such part
 * @param absent the value if neither stream nor state has one
 * @param shown how the value is shown to people; may be empty
 * @param group the heading under which it is shown
 */
record Row<S, T>(
    String name,
    Wire<T> wire,
    Count<S> count,
    Get<S, T> get,
    T absent,
    List<View<S>> shown,
    View.Group group)
    implements Field.Codec<S> {

  /** Reads a value from a state. */
  interface Get<S, T> {
    @Nullable T from(S state);
  }

  /**
   * A number of bytes or elements, computed from the fields before it.
   *
   * @param words the count for people; "" if none is needed
   */
  record Count<S>(String words, ToLongFunction<Draft<S>> of) {}

  /** A row that is not shown. */
  static <S, T> Row<S, T> of(String name, Wire<T> wire, Get<S, T> get) {
    return of(View.Group.NONE, name, wire, get);
  }

  static <S, T> Row<S, T> of(View.Group group, String name, Wire<T> wire, Get<S, T> get) {
    return new Row<>(name, wire, new Count<>("", _ -> 1), get, wire.absent(), List.of(), group);
  }

  /**
   * The same row with a count.
   *
   * @param words the count for people: "6 x in_use"
   */
  Row<S, T> times(String words, ToLongFunction<Draft<S>> of) {
    return new Row<>(name, wire, new Count<>(words, of), get, absent, shown, group);
  }

  Row<S, T> times(int number) {
    return times(Integer.toString(number), _ -> number);
  }

  /** The same row with another value for the case that neither stream nor state has one. */
  Row<S, T> absent(T value) {
    return new Row<>(name, wire, count, get, value, shown, group);
  }

  /**
   * The same row, shown to people.
   *
   * @param words the name of the field for people
   * @param as how a value is shown; null if a value is not shown
   */
  Row<S, T> shown(String words, Function<? super T, SavedField.@Nullable Value> as) {
    return shownIf(_ -> true, words, as);
  }

  /** The same, only for states in which the field has a meaning. */
  Row<S, T> shownIf(
      Predicate<S> when, String words, Function<? super T, SavedField.@Nullable Value> as) {
    List<View<S>> all = new ArrayList<>(shown);
    all.add(
        new View<>(
            group,
            words,
            state -> {
              T value = when.test(state) ? get.from(state) : null;
              return value == null ? null : as.apply(value);
            }));
    return new Row<>(name, wire, count, get, absent, List.copyOf(all), group);
  }

  /** The value in a state. */
  T in(S state) {
    T value = get.from(state);
    return value == null ? absent : value;
  }

  @Override
  public String words() {
    return count.words().isEmpty() ? wire.words() : count.words() + " " + wire.words();
  }

  @Override
  public Layout layout(Draft<S> draft) {
    return wire.layout().apply(draft.get(this));
  }

  @Override
  public void write(VmWriter out, Draft<S> draft) {
    wire.write().accept(out, draft.get(this));
  }

  @Override
  public void read(VmReader in, Draft<S> draft) {
    draft.set(this, wire.read().from(in, count.of().applyAsLong(draft)));
  }
}
