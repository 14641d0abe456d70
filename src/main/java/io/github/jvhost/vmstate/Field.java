package io.github.jvhost.vmstate;

import java.util.function.Predicate;

/**
 * One entry of a description.
 *
 * @param <M> what the description describes: a mutable model that is written from and read into
 * @param name as QEMU calls it
 * @param since the first version of the description that has it
 * @param condition in words, for people; "" where it is always there
 * @param when whether it is there, as far as that is known from the fields in front of it
 * @param codec how it is written and read
 */
record Field<M>(String name, int since, String condition, Predicate<M> when, Codec<M> codec) {

  /** How a field is written and read. */
  interface Codec<M> {
    FieldType<M> type();

    void write(VmWriter out, M model);

    void read(VmReader in, M model);
  }

  boolean isIn(M model, int version) {
    return version >= since && when.test(model);
  }

  void write(VmWriter out, M model, int version) {
    if (isIn(model, version)) {
      codec.write(out, model);
    }
  }

  void read(VmReader in, M model, int version) {
    if (isIn(model, version)) {
      in.enter(name);
      codec.read(in, model);
      in.leave();
    }
  }
}
