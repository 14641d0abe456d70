package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;
import java.util.function.ObjLongConsumer;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import java.util.function.ToLongFunction;

/** Puts a {@link Description} together, in the order in which it is written. */
final class DescriptionBuilder<M> {
  private final String name;
  private final int version;
  private final List<Field<M>> fields = new ArrayList<>();
  private final List<Description.Subsection<M>> subsections = new ArrayList<>();
  private int minimumVersion;
  private boolean earlySetup;
  private int since;
  private String condition = "";
  private Predicate<M> when = model -> true;

  DescriptionBuilder(String name, int version) {
    this.name = name;
    this.version = version;
    this.minimumVersion = version;
  }

  DescriptionBuilder<M> minimum(int oldest) {
    minimumVersion = oldest;
    return this;
  }

  /** It is sent while the guest still runs. */
  DescriptionBuilder<M> earlySetup() {
    earlySetup = true;
    return this;
  }

  /**
   * The fields that are added in here are there only under a condition.
   *
   * @param words that say it to people: "with several queue pairs"
   */
  DescriptionBuilder<M> onlyIf(
      String words, Predicate<M> holds, Consumer<DescriptionBuilder<M>> group) {
    String outerWords = condition;
    Predicate<M> outer = when;
    condition = outerWords.isEmpty() ? words : outerWords + ", " + words;
    when = outer.and(holds);
    group.accept(this);
    condition = outerWords;
    when = outer;
    return this;
  }

  /** The fields that are added in here are there since a version. */
  DescriptionBuilder<M> since(int first, Consumer<DescriptionBuilder<M>> group) {
    int outer = since;
    since = first;
    group.accept(this);
    since = outer;
    return this;
  }

  DescriptionBuilder<M> field(String field, Field.Codec<M> codec) {
    fields.add(new Field<>(field, since, condition, when, codec));
    return this;
  }

  private interface ReadInt {
    int read(VmReader in);
  }

  private interface WriteInt {
    void write(VmWriter out, int value);
  }

  private DescriptionBuilder<M> integer(
      String field,
      FieldType<M> type,
      WriteInt writer,
      ReadInt reader,
      ToIntFunction<M> get,
      ObjIntConsumer<M> set) {
    return field(
        field,
        codec(
            type,
            (out, model) -> writer.write(out, get.applyAsInt(model)),
            (in, model) -> set.accept(model, reader.read(in))));
  }

  DescriptionBuilder<M> u8(String field, ToIntFunction<M> get, ObjIntConsumer<M> set) {
    return integer(field, FieldType.unsigned(1), VmWriter::u8, VmReader::u8, get, set);
  }

  DescriptionBuilder<M> u16(String field, ToIntFunction<M> get, ObjIntConsumer<M> set) {
    return integer(field, FieldType.unsigned(2), VmWriter::u16, VmReader::u16, get, set);
  }

  /** All 32 bits; the model decides whether they are a sign. */
  DescriptionBuilder<M> u32(String field, ToIntFunction<M> get, ObjIntConsumer<M> set) {
    return integer(field, FieldType.unsigned(4), VmWriter::u32, VmReader::u32, get, set);
  }

  DescriptionBuilder<M> u64(String field, ToLongFunction<M> get, ObjLongConsumer<M> set) {
    return field(
        field,
        codec(
            FieldType.unsigned(8),
            (out, model) -> out.u64(get.applyAsLong(model)),
            (in, model) -> set.accept(model, in.u64())));
  }

  /** A 64-bit value as an array of two 32-bit ones, the lower half first. */
  DescriptionBuilder<M> halves(String field, ToLongFunction<M> get, ObjLongConsumer<M> set) {
    return field(
        field,
        codec(
            FieldType.halves(),
            (out, model) -> {
              long value = get.applyAsLong(model);
              out.u32((int) value);
              out.u32((int) (value >>> 32));
            },
            (in, model) -> {
              long low = Integer.toUnsignedLong(in.u32());
              set.accept(model, (long) in.u32() << 32 | low);
            }));
  }

  /** One byte; what is not zero is true, as in QEMU, where a driver's own byte may be stored. */
  DescriptionBuilder<M> bool(String field, Predicate<M> get, BiConsumer<M, Boolean> set) {
    return integer(
        field,
        FieldType.bool(),
        VmWriter::u8,
        VmReader::u8,
        model -> get.test(model) ? 1 : 0,
        (model, v) -> set.accept(model, v != 0));
  }

  /** A byte that nobody uses. */
  DescriptionBuilder<M> unusedByte() {
    return u8("unused", model -> 0, (model, ignored) -> {});
  }

  /** Raw bytes; how many is known from the fields in front of it. */
  DescriptionBuilder<M> bytes(
      String field, FieldType.Count<M> size, Function<M, byte[]> get, BiConsumer<M, byte[]> set) {
    return field(
        field,
        codec(
            FieldType.bytes(size),
            (out, model) -> out.bytes(get.apply(model)),
            (in, model) ->
                set.accept(model, in.bytes(Integer.toUnsignedLong(size.of().applyAsInt(model))))));
  }

  /** An array of groups of fields, as many as the fields in front of it say. */
  <E> DescriptionBuilder<M> array(
      String field, FieldType.Count<M> count, Elements<M, E> elements, Description<E> element) {
    return field(
        field,
        codec(
            FieldType.array(count, model -> elements.get(model, 0), element),
            (out, model) -> {
              int n = count.of().applyAsInt(model);
              for (int i = 0; i < n; i++) {
                element.writeFields(out, elements.get(model, i), element.version());
              }
            },
            (in, model) -> {
              int n = count.of().applyAsInt(model);
              for (int i = 0; i < n; i++) {
                in.enter("[" + i + "]");
                element.readFields(in, elements.get(model, i), element.version());
                in.leave();
              }
            }));
  }

  /** Fields that are described apart, of the same or of another model. */
  <E> DescriptionBuilder<M> inline(String field, Description<E> inner, Function<M, E> get) {
    return field(
        field,
        codec(
            FieldType.inline(inner, get),
            (out, model) -> inner.writeFields(out, get.apply(model), inner.version()),
            (in, model) -> inner.readFields(in, get.apply(model), inner.version())));
  }

  /** A structure inside of this one, with its own subsections. */
  <E> DescriptionBuilder<M> struct(String field, Description<E> inner, Function<M, E> get) {
    return field(
        field,
        codec(
            FieldType.struct(inner, get),
            (out, model) -> inner.write(out, get.apply(model), inner.version()),
            (in, model) -> inner.read(in, get.apply(model), inner.version())));
  }

  /** Takes no bytes: says what must hold of what was read so far. */
  DescriptionBuilder<M> expect(String expected, Predicate<M> holds) {
    String of = fields.getLast().name();
    return field(
        of,
        codec(
            FieldType.nothing(),
            (out, model) -> {},
            (in, model) -> {
              if (!holds.test(model)) {
                throw in.failure(expected);
              }
            }));
  }

  /**
   * A part that is only sent when it is needed.
   *
   * @param words that say to people when that is
   */
  DescriptionBuilder<M> subsection(String words, Description<M> body, Predicate<M> needed) {
    return subsection(words, body, needed, model -> body.version());
  }

  DescriptionBuilder<M> subsection(
      String words, Description<M> body, Predicate<M> needed, ToIntFunction<M> versionOf) {
    subsections.add(new Description.Subsection<>(body, words, needed, versionOf));
    return this;
  }

  Description<M> build() {
    return new Description<>(
        name, version, minimumVersion, earlySetup, List.copyOf(fields), List.copyOf(subsections));
  }

  /** The element of a model's array at an index; made when it is not there yet. */
  interface Elements<M, E> {
    E get(M model, int index);
  }

  static <M> Field.Codec<M> codec(
      FieldType<M> type, BiConsumer<VmWriter, M> write, BiConsumer<VmReader, M> read) {
    return new Field.Codec<>() {
      @Override
      public FieldType<M> type() {
        return type;
      }

      @Override
      public void write(VmWriter out, M model) {
        write.accept(out, model);
      }

      @Override
      public void read(VmReader in, M model) {
        read.accept(in, model);
      }
    };
  }
}
