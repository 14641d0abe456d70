package io.github.jvhost.vmstate;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/**
 * How a piece of state is laid out: fields in order, then subsections. One table for both
 * directions, for the description at the end of a stream ({@link #layout}), and for people.
 *
 * <pre>
 *   field field field ...                               no tags, no length
 *   | 05 | n u8 | name n | version u32 | fields ... |   a subsection; only those that are needed, in the table's order
 * </pre>
 *
 * @param <M> the model that is written from and read into
 * @param name of the piece; names of its subsections begin with it
 * @param version that is written, and the newest that can be read
 * @param minimumVersion the oldest that can be read
 * @param earlySetup whether it is sent while the guest still runs
 */
record Description<M>(
    String name,
    int version,
    int minimumVersion,
    boolean earlySetup,
    List<Field<M>> fields,
    List<Subsection<M>> subsections) {
  private static final int SUBSECTION = 0x05;

  /**
   * A part that is only sent when it is needed; absent means the default.
   *
   * @param body what it consists of
   * @param condition when it is needed, in words
   * @param needed whether it is sent
   * @param versionOf the version that is written: newer hosts may have fields that this one does
   *     not know
   */
  record Subsection<M>(
      Description<M> body, String condition, Predicate<M> needed, ToIntFunction<M> versionOf) {}

  static <M> DescriptionBuilder<M> named(String name, int version) {
    return new DescriptionBuilder<>(name, version);
  }

  /**
   * The fields alone, for a piece that is not a description in QEMU and so has no place for
   * subsections.
   */
  void writeFields(VmWriter out, M model, int writtenVersion) {
    for (Field<M> field : fields) {
      field.write(out, model, writtenVersion);
    }
  }

  void readFields(VmReader in, M model, int readVersion) {
    for (Field<M> field : fields) {
      field.read(in, model, readVersion);
    }
  }

  /** What {@link #writeFields} would write. */
  Layout.Group group(M model) {
    return new Layout.Group(fieldsOf(model, version));
  }

  /** What {@link #write} would write. */
  Layout.Structure layout(M model, int writtenVersion) {
    return new Layout.Structure(
        name,
        writtenVersion,
        fieldsOf(model, writtenVersion),
        subsections.stream()
            .filter(s -> s.needed().test(model))
            .map(s -> s.body().layout(model, s.versionOf().applyAsInt(model)))
            .toList());
  }

  private List<Layout.Named> fieldsOf(M model, int writtenVersion) {
    List<Layout.Named> all = new ArrayList<>();
    for (Field<M> field : fields) {
      if (field.isIn(model, writtenVersion)) {
        Layout layout = field.codec().type().layout().apply(model);
        if (layout instanceof Layout.Group group) {
          all.addAll(group.fields());
        } else {
          all.add(new Layout.Named(field.name(), layout));
        }
      }
    }
    return all;
  }

  void write(VmWriter out, M model, int writtenVersion) {
    writeFields(out, model, writtenVersion);
    for (Subsection<M> subsection : subsections) {
      if (subsection.needed().test(model)) {
        Description<M> body = subsection.body();
        int subversion = subsection.versionOf().applyAsInt(model);
        out.u8(SUBSECTION);
        out.u8(body.name().length());
        out.bytes(body.name().getBytes(StandardCharsets.ISO_8859_1));
        out.u32(subversion);
        body.write(out, model, subversion);
      }
    }
  }

  void read(VmReader in, M model, int readVersion) {
    if (readVersion > version || readVersion < minimumVersion) {
      throw in.failure(
          name + " of version " + minimumVersion + " to " + version + ", it is " + readVersion);
    }
    readFields(in, model, readVersion);
    readSubsections(in, model);
  }

  /**
   * Takes as many subsections as are this description's. A byte 05 may also be the data that
   * follows, or the subsection of a description further out: the name tells, as it does in QEMU.
   */
  private void readSubsections(VmReader in, M model) {
    while (in.peek(0) == SUBSECTION) {
      int length = in.peek(1);
      if (length < name.length() + 1 || !startsWithName(in)) {
        return;
      }
      in.skip(2);
      String subname = new String(in.bytes(length), StandardCharsets.ISO_8859_1);
      in.enter(subname);
      readSubsection(in, model, subname);
      in.leave();
    }
  }

  private void readSubsection(VmReader in, M model, String subname) {
    for (Subsection<M> subsection : subsections) {
      if (subsection.body().name().equals(subname)) {
        subsection.body().read(in, model, in.u32());
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
