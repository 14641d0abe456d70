package io.github.jvhost.vmstate;

import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * One entry of a description.
 *
 * @param <S> what is saved
 * @param name as QEMU calls it
 * @param since the first version of the description that has it
 * @param condition in words, for people; "" where it is always there
 * @param when whether it is there, as far as that is known from the fields in front of it
 * @param codec how it is written and read: a {@link Row}, or what rows are in
 */
record Field<S>(
    String name, int since, String condition, Predicate<Draft<S>> when, Codec<S> codec) {

  /** How a field is written and read. */
  interface Codec<S> {
    /** What it consists of, for people; "" where it takes no bytes. */
    String words();

    /** How it is laid out where it is written. */
    Layout layout(Draft<S> draft);

    void write(VmWriter out, Draft<S> draft);

    void read(VmReader in, Draft<S> draft);

    /** The description of what it consists of, where there is one. */
    default Optional<Description<?>> inner() {
      return Optional.empty();
    }

    /** What people are shown of it, and of what it consists of. */
    default List<View<S>> shown() {
      return List.of();
    }
  }

  boolean isIn(Draft<S> draft, int version) {
    return version >= since && when.test(draft);
  }

  void write(VmWriter out, Draft<S> draft, int version) {
    if (isIn(draft, version)) {
      codec.write(out, draft);
    }
  }

  void read(VmReader in, Draft<S> draft, int version) {
    if (isIn(draft, version)) {
      in.enter(name);
      codec.read(in, draft);
      in.leave();
    }
  }
}
