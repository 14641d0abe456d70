package io.github.jvhost.vmstate;

import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * One entry of a description.
 *
 * @param <S> the saved state
 * @param name the name in QEMU
 * @param since the first version of the description that has it
 * @param condition the condition in words for people; "" if it always exists
 * @param when whether it exists, which depends on the fields before it
 * @param codec how it is written and read: a {@link Row} or a group of rows
 */
record Field<S>(
    String name, int since, String condition, Predicate<Draft<S>> when, Codec<S> codec) {

  /** How a field is written and read. */
  interface Codec<S> {
    /** Its content in words for people; "" if it takes no bytes. */
    String words();

    /** Its layout when it is written. */
    Layout layout(Draft<S> draft);

    void write(VmWriter out, Draft<S> draft);

    void read(VmReader in, Draft<S> draft);

    /** The description of its content, if there is one. */
    default Optional<Description<?>> inner() {
      return Optional.empty();
    }

    /** What is shown to people of it and of its content. */
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
