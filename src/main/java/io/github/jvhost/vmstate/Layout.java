package io.github.jvhost.vmstate;

import java.util.List;
import java.util.stream.LongStream;

/**
 * What a piece of state takes in a stream, field by field: the same for reader and writer, and what
 * the description at the end of the stream says.
 */
sealed interface Layout {
  /** Type byte, length of the name, version: what stands in front of a subsection's fields. */
  int SUBSECTION_HEADER = 6;

  /** All of it, in bytes. */
  long size();

  /** A part with its name. */
  record Named(String name, Layout layout) {}

  /**
   * A value without parts.
   *
   * @param type as QEMU calls it: "uint32", "buffer"
   * @param size in bytes
   */
  record Leaf(String type, long size) implements Layout {}

  /** Equal elements, one behind the other. */
  record Array(Layout element, int count) implements Layout {
    @Override
    public long size() {
      return count * element.size();
    }
  }

  /** Fields that belong to the structure around them; without any it takes no bytes. */
  record Group(List<Named> fields) implements Layout {
    static final Group NOTHING = new Group(List.of());

    @Override
    public long size() {
      return sum(fields.stream().mapToLong(field -> field.layout().size()));
    }
  }

  /**
   * A structure that QEMU describes apart, or a subsection.
   *
   * @param name of its description
   * @param version that is written
   * @param fields those that are there, groups dissolved
   * @param subsections those that are there
   */
  record Structure(String name, int version, List<Named> fields, List<Structure> subsections)
      implements Layout {
    @Override
    public long size() {
      return sum(fields.stream().mapToLong(field -> field.layout().size()))
          + sum(
              subsections.stream()
                  .mapToLong(s -> SUBSECTION_HEADER + s.name().length() + s.size()));
    }
  }

  private static long sum(LongStream sizes) {
    return sizes.sum();
  }
}
