package io.github.jvhost.vmstate;

/**
 * The body of a section, for a {@link SectionHandler}. All numbers are big-endian. Whatever is
 * missing ends as a {@link VmStateException} that says where. One thread; not to be used any more
 * when the handler has returned.
 */
public final class SectionInput {
  private final VmReader in;

  SectionInput(VmReader in) {
    this.in = in;
  }

  /** {@return the next byte, 0 to 255} */
  public int u8() {
    return in.u8();
  }

  /** {@return the next two bytes as a number, 0 to 65535} */
  public int u16() {
    return in.u16();
  }

  /** {@return the next four bytes as a number; all 32 bits} */
  public int u32() {
    return in.u32();
  }

  /** {@return the next eight bytes as a number; all 64 bits} */
  public long u64() {
    return in.u64();
  }

  /**
   * {@return a byte further on, 0 to 255, without taking it; -1 behind the end of the stream}
   *
   * @param ahead how many bytes lie in front of it, from 0
   */
  public int peek(int ahead) {
    expect(ahead >= 0, "a place ahead, not " + ahead);
    return in.peek(ahead);
  }

  /**
   * Leaves out the next bytes.
   *
   * @param count how many, from 0 on
   */
  public void skip(long count) {
    expect(count >= 0, "a length, not " + count);
    in.skip(count);
  }

  /**
   * Refuses the section where something does not hold.
   *
   * @param holds what should be true
   * @param expected how it should be, for people
   */
  public void expect(boolean holds, String expected) {
    if (!holds) {
      throw in.failure(expected);
    }
  }
}
