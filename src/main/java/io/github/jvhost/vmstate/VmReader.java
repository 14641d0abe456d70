package io.github.jvhost.vmstate;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.StringJoiner;

/** Reads big-endian values and knows where it is, so that it can say so when something is wrong. */
final class VmReader {
  private final ByteBuffer in;
  private final int start;
  private final String section;
  private final Deque<String> path = new ArrayDeque<>();

  /** Reads from the buffer's position; the position of the given buffer does not move. */
  VmReader(String section, ByteBuffer buffer) {
    this.section = section;
    this.in = buffer.duplicate().order(ByteOrder.BIG_ENDIAN);
    this.start = in.position();
  }

  /** Goes into a field; what fails from now on fails there. */
  void enter(String name) {
    path.push(name);
  }

  void leave() {
    path.pop();
  }

  VmStateException failure(String expected) {
    StringJoiner names = new StringJoiner("/");
    for (Iterator<String> i = path.descendingIterator(); i.hasNext(); ) {
      names.add(i.next());
    }
    return new VmStateException(section, names.toString(), consumed(), expected);
  }

  int consumed() {
    return in.position() - start;
  }

  int remaining() {
    return in.remaining();
  }

  int u8() {
    need(1);
    return in.get() & 0xFF;
  }

  int u16() {
    need(2);
    return in.getShort() & 0xFFFF;
  }

  int u32() {
    need(4);
    return in.getInt();
  }

  long u64() {
    need(8);
    return in.getLong();
  }

  /**
   * That many bytes; the count may come from the stream: it is checked before anything is
   * allocated.
   */
  byte[] bytes(long count) {
    need(count);
    byte[] bytes = new byte[(int) count];
    in.get(bytes);
    return bytes;
  }

  void need(long count) {
    if (count > in.remaining()) {
      throw failure(count + " bytes, there are " + in.remaining());
    }
  }

  /** A byte ahead, or -1 behind the end. */
  int peek(int ahead) {
    return ahead < in.remaining() ? in.get(in.position() + ahead) & 0xFF : -1;
  }

  /**
   * Where, from here on, the next bytes begin to differ from an image; the image's length when they
   * do not.
   */
  int sameAs(byte[] image, int from) {
    ByteBuffer expected = ByteBuffer.wrap(image, from, image.length - from);
    int mismatch = in.slice(in.position(), image.length - from).mismatch(expected);
    return mismatch < 0 ? image.length - from : mismatch;
  }

  void skip(int count) {
    need(count);
    in.position(in.position() + count);
  }
}
