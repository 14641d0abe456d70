package io.github.jvhost.vmstate;

/**
 * The body of a section, for a {@link SectionHandler}. All numbers are big-endian. If bytes are
 * missing, a method throws a {@link VmStateException} that says where. One thread. It must not be
 * used after the handler has returned.
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
   * {@return a later byte, 0 to 255, without moving the position; -1 after the end of the stream}
   *
   * @param ahead the number of bytes before it, from 0
   */
  public int peek(int ahead) {
    expect(ahead >= 0, "a place ahead, not " + ahead);
    return in.peek(ahead);
  }

  /**
   * Skips the next bytes.
   *
   * @param count how many, not negative
   */
  public void skip(long count) {
    expect(count >= 0, "a length, not " + count);
    in.skip(count);
  }

  /**
   * Refuses the section if a condition is false.
   *
   * @param holds the condition
   * @param expected what was expected, for people
   */
  public void expect(boolean holds, String expected) {
    if (!holds) {
      throw in.failure(expected);
    }
  }
}
