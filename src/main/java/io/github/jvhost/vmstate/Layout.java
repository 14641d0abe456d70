package io.github.jvhost.vmstate;

import java.util.List;
import java.util.stream.LongStream;

/**
 * The layout of a piece of state in a stream, field by field. Reader and writer use the same
 * layout, and the description at the end of the stream shows it.
 */
sealed interface Layout {
  /**
   * Type byte, length of the name, version: the bytes before the fields of a subsection, without
   * the name.
   */
  int SUBSECTION_HEADER = 6;

  /** The size of all parts, in bytes. */
  long size();

  /** A part with its name. */
  record Named(String name, Layout layout) {}

  /**
   * A value without parts.
   *
   * @param type the type in QEMU: "uint32", "buffer"
   * @param size in bytes
   */
  record Leaf(String type, long size) implements Layout {}

  /** Consecutive elements with the same layout. */
  record Array(Layout element, int count) implements Layout {
    @Override
    public long size() {
      return count * element.size();
    }
  }

  /** Fields that belong to the enclosing structure. An empty group takes no bytes. */
  record Group(List<Named> fields) implements Layout {
    static final Group NOTHING = new Group(List.of());

    @Override
    public long size() {
      return sum(fields.stream().mapToLong(field -> field.layout().size()));
    }
  }

  /**
   * A structure with its own description in QEMU, or a subsection.
   *
   * @param name of its description
   * @param version the version that is written
   * @param fields the fields that exist; fields of groups are in this list
   * @param subsections the subsections that exist
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
