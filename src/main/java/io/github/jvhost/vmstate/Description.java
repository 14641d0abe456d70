package io.github.jvhost.vmstate;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;

/**
 * The layout of a piece of state: fields in order, then subsections. One table serves reading,
 * writing, the description at the end of a stream ({@link #layout}), and the output for people.
 *
 * <pre>
 *   field field field ...                               no tags, no length
 *   | 05 | n u8 | name n | version u32 | fields ... |   a subsection; only those that are needed, in the table's order
 * </pre>
 *
 * @param <S> the saved state
 * @param name name of the piece; the names of its subsections begin with it
 * @param version the version that is written, and the newest that can be read
 * @param minimumVersion the oldest that can be read
 * @param earlySetup whether it is sent while the guest is still running
 */
record Description<S>(
    String name,
    int version,
    int minimumVersion,
    boolean earlySetup,
    List<Field<S>> fields,
    List<Subsection<S>> subsections) {
  private static final int SUBSECTION = 0x05;

  /**
   * A part that is sent only when it is needed. If it is absent, its fields have their defaults.
   *
   * @param body its fields
   * @param condition when it is needed, in words for people
   * @param needed whether it is sent
   * @param versionOf the version that is written: newer hosts may have fields that older ones do
   *     not know
   * @param seen sets what follows when the part was read
   */
  record Subsection<S>(
      Description<S> body,
      String condition,
      Predicate<Draft<S>> needed,
      ToIntFunction<Draft<S>> versionOf,
      Consumer<Draft<S>> seen) {}

  static <S> DescriptionBuilder<S> named(String name, int version) {
    return new DescriptionBuilder<>(name, version);
  }

  /**
   * Writes the fields alone, for a piece that is not a description in QEMU and so has no
   * subsections.
   */
  void writeFields(VmWriter out, Draft<S> draft, int writtenVersion) {
    for (Field<S> field : fields) {
      field.write(out, draft, writtenVersion);
    }
  }

  void readFields(VmReader in, Draft<S> draft, int readVersion) {
    for (Field<S> field : fields) {
      field.read(in, draft, readVersion);
    }
  }

  /** The layout of what {@link #write} would write. */
  Layout.Structure layout(Draft<S> draft, int writtenVersion) {
    return new Layout.Structure(
        name,
        writtenVersion,
        fieldsOf(draft, writtenVersion),
        subsections.stream()
            .filter(s -> s.needed().test(draft))
            .map(s -> s.body().layout(draft, s.versionOf().applyAsInt(draft)))
            .toList());
  }

  private List<Layout.Named> fieldsOf(Draft<S> draft, int writtenVersion) {
    List<Layout.Named> all = new ArrayList<>();
    for (Field<S> field : fields) {
      if (field.isIn(draft, writtenVersion)) {
        Layout layout = field.codec().layout(draft);
        if (layout instanceof Layout.Group group) {
          all.addAll(group.fields());
        } else {
          all.add(new Layout.Named(field.name(), layout));
        }
      }
    }
    return all;
  }

  /** The fields that are shown to people, in the order of the stream. */
  List<View<S>> shown() {
    return Stream.concat(
            fields.stream().flatMap(field -> field.codec().shown().stream()),
            subsections.stream().flatMap(subsection -> subsection.body().shown().stream()))
        .distinct()
        .toList();
  }

  void write(VmWriter out, Draft<S> draft, int writtenVersion) {
    writeFields(out, draft, writtenVersion);
    for (Subsection<S> subsection : subsections) {
      if (subsection.needed().test(draft)) {
        Description<S> body = subsection.body();
        int subversion = subsection.versionOf().applyAsInt(draft);
        out.u8(SUBSECTION);
        out.u8(body.name().length());
        out.bytes(body.name().getBytes(StandardCharsets.ISO_8859_1));
        out.u32(subversion);
        body.write(out, draft, subversion);
      }
    }
  }

  void read(VmReader in, Draft<S> draft, int readVersion) {
    if (readVersion > version || readVersion < minimumVersion) {
      throw in.failure(
          name + " of version " + minimumVersion + " to " + version + ", it is " + readVersion);
    }
    readFields(in, draft, readVersion);
    readSubsections(in, draft);
  }

  /**
   * Reads all subsections of this description. A byte 05 may also be other data, or a subsection of
   * an outer description. The name decides, as in QEMU.
   */
  private void readSubsections(VmReader in, Draft<S> draft) {
    while (in.peek(0) == SUBSECTION) {
      int length = in.peek(1);
      if (length < name.length() + 1 || !startsWithName(in)) {
        return;
      }
      in.skip(2);
      String subname = new String(in.bytes(length), StandardCharsets.ISO_8859_1);
      in.enter(subname);
      readSubsection(in, draft, subname);
      in.leave();
    }
  }

  private void readSubsection(VmReader in, Draft<S> draft, String subname) {
    for (Subsection<S> subsection : subsections) {
      if (subsection.body().name().equals(subname)) {
        subsection.body().read(in, draft, in.u32());
        subsection.seen().accept(draft);
        return;
      }
    }
    throw in.failure("one of the subsections of " + name);
  }

  private boolean startsWithName(VmReader in) {
    for (int i = 0; i < name.length(); i++) {
      if (in.peek(2 + i) != name.charAt(i)) {
        return false;
      }
    }
    return true;
  }
}
