package io.github.jvhost.vmstate;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import java.util.function.ToLongFunction;

/**
 * What a field consists of: in words for people, and for a given model in bytes.
 *
 * @param <M> the model that the field is of
 * @param words "u16", "nvq x virtqueue"
 * @param layout of the field of a model
 * @param inner the description of what it consists of, where there is one
 */
record FieldType<M>(String words, Function<M, Layout> layout, Optional<Description<?>> inner) {

  /** How many of something there are: known from the fields in front. */
  record Count<M>(String words, ToIntFunction<M> of) {
    static <M> Count<M> fixed(int count) {
      return new Count<>(Integer.toString(count), model -> count);
    }
  }

  /** A number in 1, 2, 4 or 8 bytes, big-endian. */
  static <M> FieldType<M> unsigned(int bytes) {
    return leaf("u" + 8 * bytes, new Layout.Leaf("uint" + 8 * bytes, bytes));
  }

  /** One byte, 0 or 1. */
  static <M> FieldType<M> bool() {
    return leaf("bool", new Layout.Leaf("bool", 1));
  }

  /** 64 bits as two numbers of 32, the lower half first. */
  static <M> FieldType<M> halves() {
    return leaf("2 x u32, lower half first", new Layout.Array(new Layout.Leaf("uint32", 4), 2));
  }

  /** Numbers of 2 or 4 bytes. */
  static <M> FieldType<M> numbers(Count<M> count, int bytes) {
    return new FieldType<>(
        count.words() + " x u" + 8 * bytes,
        m -> new Layout.Array(new Layout.Leaf("uint" + 8 * bytes, bytes), count.of().applyAsInt(m)),
        Optional.empty());
  }

  /** Bytes as they are. */
  static <M> FieldType<M> bytes(Count<M> count) {
    return new FieldType<>(
        count.words() + " bytes",
        m -> new Layout.Leaf("buffer", count.of().applyAsInt(m)),
        Optional.empty());
  }

  /**
   * Bytes of which those in front say how many there are.
   *
   * @param type as QEMU calls it in the description of a stream
   */
  static <M> FieldType<M> sized(String words, String type, ToLongFunction<M> size) {
    return new FieldType<>(
        words, m -> new Layout.Leaf(type, size.applyAsLong(m)), Optional.empty());
  }

  /** Takes no bytes. */
  static <M> FieldType<M> nothing() {
    return leaf("", Layout.Group.NOTHING);
  }

  /** A description's fields as fields of this structure. */
  static <M, E> FieldType<M> inline(Description<E> inner, Function<M, E> get) {
    return new FieldType<>(
        "fields of " + inner.name(), m -> inner.group(get.apply(m)), Optional.of(inner));
  }

  /** A structure with its own version and subsections. */
  static <M, E> FieldType<M> struct(Description<E> inner, Function<M, E> get) {
    return new FieldType<>(
        inner.name(), m -> inner.layout(get.apply(m), inner.version()), Optional.of(inner));
  }

  /** Structures, all of which are laid out like the first. */
  static <M, E> FieldType<M> array(Count<M> count, Function<M, E> first, Description<E> element) {
    return new FieldType<>(
        count.words() + " x " + element.name(),
        m -> {
          int n = count.of().applyAsInt(m);
          return n == 0
              ? Layout.Group.NOTHING
              : new Layout.Array(element.layout(first.apply(m), element.version()), n);
        },
        Optional.of(element));
  }

  /** Whatever else, as fields of the structure around it. */
  static <M> FieldType<M> group(String words, Function<M, List<Layout.Named>> fields) {
    return new FieldType<>(words, m -> new Layout.Group(fields.apply(m)), Optional.empty());
  }

  private static <M> FieldType<M> leaf(String words, Layout layout) {
    return new FieldType<>(words, m -> layout, Optional.empty());
  }
}
