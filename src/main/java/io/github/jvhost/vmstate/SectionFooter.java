package io.github.jvhost.vmstate;

/**
 * The bytes after each section: | 7E | id u32 |. They show whether the section was read correctly.
 */
final class SectionFooter {
  private static final int TYPE = 0x7E;
  private static final int SIZE = 5;

  private SectionFooter() {}

  /** Checks that the footer follows. Does not move the position. */
  static void check(VmReader in, int id) {
    in.enter("footer");
    in.need(SIZE);
    int found = in.peek(1) << 24 | in.peek(2) << 16 | in.peek(3) << 8 | in.peek(4);
    if (in.peek(0) != TYPE || found != id) {
      throw in.failure(
          "the footer of section %d, there is %02x %08x".formatted(id, in.peek(0), found));
    }
    in.leave();
  }

  static void read(VmReader in, int id) {
    check(in, id);
    in.skip(SIZE);
  }

  static void write(VmWriter out, int id) {
    out.u8(TYPE);
    out.u32(id);
  }
}
