package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/** Builds a {@link Description}, in the order in which it is written. */
final class DescriptionBuilder<S> {
  private final String name;
  private final int version;
  private final List<Field<S>> fields = new ArrayList<>();
  private final List<Description.Subsection<S>> subsections = new ArrayList<>();
  private int minimumVersion;
  private boolean earlySetup;
  private int since;
  private String condition = "";
  private Predicate<Draft<S>> when = draft -> true;

  DescriptionBuilder(String name, int version) {
    this.name = name;
    this.version = version;
    this.minimumVersion = version;
  }

  DescriptionBuilder<S> minimum(int oldest) {
    minimumVersion = oldest;
    return this;
  }

  /** Says that it is sent while the guest is still running. */
  DescriptionBuilder<S> earlySetup() {
    earlySetup = true;
    return this;
  }

  /**
   * Adds fields that exist only under a condition.
   *
   * @param words the condition for people: "with several queue pairs"
   */
  DescriptionBuilder<S> onlyIf(
      String words, Predicate<Draft<S>> holds, Consumer<DescriptionBuilder<S>> group) {
    String outerWords = condition;
    Predicate<Draft<S>> outer = when;
    condition = outerWords.isEmpty() ? words : outerWords + ", " + words;
    when = outer.and(holds);
    group.accept(this);
    condition = outerWords;
    when = outer;
    return this;
  }

  /** Adds fields that exist since a version. */
  DescriptionBuilder<S> since(int first, Consumer<DescriptionBuilder<S>> group) {
    int outer = since;
    since = first;
    group.accept(this);
    since = outer;
    return this;
  }

  DescriptionBuilder<S> field(String field, Field.Codec<S> codec) {
    fields.add(new Field<>(field, since, condition, when, codec));
    return this;
  }

  /** Adds rows, in this order. */
  @SafeVarargs
  final DescriptionBuilder<S> rows(Row<S, ?>... rows) {
    for (Row<S, ?> row : rows) {
      field(row.name(), row);
    }
    return this;
  }

  /** Adds an unused byte. */
  DescriptionBuilder<S> unusedByte() {
    return field("unused", Row.of("unused", Wire.U8, _ -> 0));
  }

  /** Adds the fields of another description. */
  DescriptionBuilder<S> inline(Description<S> inner) {
    return field(inner.name(), new Inner<>(inner, false));
  }

  /** Adds a structure with its own subsections. */
  DescriptionBuilder<S> struct(String field, Description<S> inner) {
    return field(field, new Inner<>(inner, true));
  }

  /**
   * Another description of the same state.
   *
   * @param structure whether it is a structure in QEMU; otherwise its fields are fields of the
   *     outer description
   */
  private record Inner<S>(Description<S> description, boolean structure) implements Field.Codec<S> {
    @Override
    public String words() {
      return structure ? description.name() : "fields of " + description.name();
    }

    @Override
    public Layout layout(Draft<S> draft) {
      Layout.Structure layout = description.layout(draft, description.version());
      return structure ? layout : new Layout.Group(layout.fields());
    }

    @Override
    public void write(VmWriter out, Draft<S> draft) {
      if (structure) {
        description.write(out, draft, description.version());
      } else {
        description.writeFields(out, draft, description.version());
      }
    }

    @Override
    public void read(VmReader in, Draft<S> draft) {
      if (structure) {
        description.read(in, draft, description.version());
      } else {
        description.readFields(in, draft, description.version());
      }
    }

    @Override
    public Optional<Description<?>> inner() {
      return Optional.of(description);
    }

    @Override
    public List<View<S>> shown() {
      return description.shown();
    }
  }

  /** Adds a condition for what was read so far. It takes no bytes. */
  DescriptionBuilder<S> expect(String expected, Predicate<Draft<S>> holds) {
    return field(
        fields.getLast().name(),
        new Step<>(
            List.of(),
            (in, draft) -> {
              if (!holds.test(draft)) {
                throw in.failure(expected);
              }
            }));
  }

  /** Adds a value that is computed from what was read so far. It takes no bytes. */
  <T> DescriptionBuilder<S> follows(Row<S, T> row, Function<Draft<S>, T> value) {
    return field(
        row.name(), new Step<>(row.shown(), (in, draft) -> draft.set(row, value.apply(draft))));
  }

  /** Adds something that is shown to people in this place. It takes no bytes. */
  DescriptionBuilder<S> view(View<S> shown) {
    return field(shown.name(), new Step<>(List.of(shown), (in, draft) -> {}));
  }

  private interface Reading<S> {
    void step(VmReader in, Draft<S> draft);
  }

  /** A field that takes no bytes. */
  private record Step<S>(List<View<S>> shown, Reading<S> reading) implements Field.Codec<S> {
    @Override
    public String words() {
      return "";
    }

    @Override
    public Layout layout(Draft<S> draft) {
      return Layout.Group.NOTHING;
    }

    @Override
    public void write(VmWriter out, Draft<S> draft) {}

    @Override
    public void read(VmReader in, Draft<S> draft) {
      reading.step(in, draft);
    }
  }

  /**
   * Adds a part that is sent only when it is needed.
   *
   * @param words the condition for people
   */
  DescriptionBuilder<S> subsection(String words, Description<S> body, Predicate<Draft<S>> needed) {
    subsections.add(
        new Description.Subsection<>(body, words, needed, _ -> body.version(), _ -> {}));
    return this;
  }

  /**
   * Adds a part whose presence has a meaning.
   *
   * @param there true when the part is sent; set to true when the part was read
   */
  DescriptionBuilder<S> subsection(String words, Description<S> body, Row<S, Boolean> there) {
    return subsection(words, body, there, draft -> body.version());
  }

  DescriptionBuilder<S> subsection(
      String words, Description<S> body, Row<S, Boolean> there, ToIntFunction<Draft<S>> versionOf) {
    subsections.add(
        new Description.Subsection<>(
            body, words, draft -> draft.get(there), versionOf, draft -> draft.set(there, true)));
    return this;
  }

  Description<S> build() {
    return new Description<>(
        name, version, minimumVersion, earlySetup, List.copyOf(fields), List.copyOf(subsections));
  }
}
