package io.github.jvhost.vmstate;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * Reads big-endian values. It tracks its position for error messages. It reads from a buffer, or
 * from a stream through a window. The window grows only as far as bytes have arrived.
 *
 * <pre>
 *   0 ........... base                                      offset in the stream
 *                 |  kept from the mark on  |  remaining  |
 *                 +-------------------------+-------------+ - - - - - - -
 *                 0 = mark                  position      limit    not read yet
 * </pre>
 */
final class VmReader {
  /** The most bytes of a stream that are held at once: more than any real device saves. */
  static final int MAX_HELD = 256 << 20;

  private static final int WINDOW = 256 << 10;
  private static final int NO_MARK = -1;

  private final @Nullable InputStream source;
  private final Deque<String> path = new ArrayDeque<>();
  private ByteBuffer in;
  private String section;
  private long base;
  private long lastNumber;
  private int mark = NO_MARK;
  private boolean ended;

  /** Reads from the buffer's position. The position of the given buffer does not move. */
  VmReader(String section, ByteBuffer buffer) {
    this(section, buffer, 0);
  }

  /** The same for bytes at an offset of a larger input. */
  VmReader(String section, ByteBuffer buffer, long offset) {
    this.section = section;
    this.source = null;
    this.in = buffer.duplicate().order(ByteOrder.BIG_ENDIAN);
    this.base = offset - in.position();
  }

  /** Reads a stream from its current position. Does not close it. */
  VmReader(String section, InputStream source) {
    this.section = section;
    this.source = source;
    this.in = ByteBuffer.allocate(WINDOW).limit(0);
  }

  /** Enters a field. Later failures name this field. */
  void enter(String name) {
    path.push(name);
  }

  void leave() {
    path.pop();
  }

  /** Names the section that is read from now on, without entered fields. */
  void section(String name) {
    section = name;
    path.clear();
  }

  VmStateException failure(String expected) {
    return failure(expected, offset(), null);
  }

  /** The same for a wrong number that was just read: the failure has its position. */
  VmStateException wrong(String expected) {
    return failure(expected, lastNumber, null);
  }

  private VmStateException failure(String expected, long at, @Nullable IOException cause) {
    StringJoiner names = new StringJoiner("/");
    for (Iterator<String> i = path.descendingIterator(); i.hasNext(); ) {
      names.add(i.next());
    }
    return new VmStateException(section, names.toString(), at, expected, cause);
  }

  /** The position, in bytes from the start of the input. */
  long offset() {
    return base + in.position();
  }

  /** Keeps all bytes from here on, so that {@link #rewind} can go back to this position. */
  void mark() {
    mark = in.position();
  }

  /** Goes back to the mark and leaves all fields. The mark stays. */
  void rewind() {
    in.position(mark);
    path.clear();
  }

  /** Removes the mark: no bytes need to be kept. */
  void unmark() {
    mark = NO_MARK;
  }

  /** The bytes read since the mark, without a copy; valid until the next read. */
  ByteBuffer sinceMark() {
    return in.slice(mark, in.position() - mark).asReadOnlyBuffer();
  }

  int u8() {
    number(1);
    return in.get() & 0xFF;
  }

  int u16() {
    number(2);
    return in.getShort() & 0xFFFF;
  }

  int u32() {
    number(4);
    return in.getInt();
  }

  long u64() {
    number(8);
    return in.getLong();
  }

  private void number(int bytes) {
    need(bytes);
    lastNumber = offset();
  }

  /**
   * Reads that many bytes. The count may come from the stream, so it is checked before anything is
   * allocated.
   */
  byte[] bytes(long count) {
    need(count);
    byte[] bytes = new byte[(int) count];
    in.get(bytes);
    return bytes;
  }

  /** A name: its length in one byte, then that many bytes. */
  String name() {
    int length = u8();
    return new String(bytes(length), StandardCharsets.ISO_8859_1);
  }

  /** Reads bytes without a copy, read-only; valid until the next read. */
  ByteBuffer view(long count) {
    need(count);
    ByteBuffer view = in.slice(in.position(), (int) count).asReadOnlyBuffer();
    in.position(in.position() + (int) count);
    return view;
  }

  void need(long count) {
    if (count > in.remaining() && !arrived(count)) {
      String cut = source == null ? "" : ": the stream was cut off";
      throw failure(count + " bytes, there are " + in.remaining() + cut);
    }
  }

  /** Whether this is the end of the input. */
  boolean atEnd() {
    return in.remaining() == 0 && !arrived(1);
  }

  /** A later byte, or -1 after the end. */
  int peek(int ahead) {
    return ahead < in.remaining() || arrived(ahead + 1L)
        ? in.get(in.position() + ahead) & 0xFF
        : -1;
  }

  /** The next eight bytes as a number, without moving the position. */
  long peekU64() {
    need(8);
    return in.getLong(in.position());
  }

  /**
   * Compares the next bytes with an image. Returns the index of the first difference, or the
   * image's length if there is none. The bytes must be {@linkplain #need present}.
   */
  int sameAs(byte[] image, int from) {
    ByteBuffer expected = ByteBuffer.wrap(image, from, image.length - from);
    int mismatch = in.slice(in.position(), image.length - from).mismatch(expected);
    return mismatch < 0 ? image.length - from : mismatch;
  }

  void skip(long count) {
    if (count <= in.remaining()) {
      in.position(in.position() + (int) count);
    } else if (mark != NO_MARK || source == null || count <= WINDOW) {
      need(count);
      in.position(in.position() + (int) count);
    } else {
      skipUnread(count - in.remaining());
    }
  }

  /**
   * All bytes up to the end of the stream, without moving the position; empty if there are too many
   * to hold.
   */
  Optional<ByteBuffer> rest() {
    boolean more = true;
    while (more && in.remaining() < MAX_HELD) {
      more = arrived(in.remaining() + 1L);
    }
    return more ? Optional.empty() : Optional.of(in.slice().asReadOnlyBuffer());
  }

  /**
   * Skips bytes that are not in the window yet. It reads the last one, to be sure that it exists.
   */
  private void skipUnread(long count) {
    base += in.limit();
    in.clear().limit(0);
    try {
      if (source != null) {
        source.skipNBytes(count - 1);
      }
    } catch (IOException e) {
      throw failed(e);
    }
    base += count - 1;
    need(1);
    in.get();
  }

  /** Fills the window until that many bytes remain. Returns false if the stream ends before. */
  private boolean arrived(long count) {
    if (source == null || ended) {
      return false;
    }
    if (count > MAX_HELD) {
      throw failure("at most " + MAX_HELD + " bytes in one piece, not " + count);
    }
    while (in.remaining() < count) {
      if (in.limit() == in.capacity()) {
        makeRoom();
      }
      try {
        int at = in.limit();
        int read = source.read(in.array(), at, in.capacity() - at);
        if (read < 0) {
          ended = true;
          return false;
        }
        in.limit(at + read);
      } catch (IOException e) {
        throw failed(e);
      }
    }
    return true;
  }

  /**
   * Drops bytes that are no longer needed. Makes the window larger only if all bytes are needed.
   */
  private void makeRoom() {
    int keep = mark == NO_MARK ? in.position() : mark;
    int position = in.position() - keep;
    int limit = in.limit() - keep;
    byte[] array = in.array();
    if (keep == 0) {
      if (limit >= MAX_HELD) {
        throw failure("at most " + MAX_HELD + " bytes in one piece");
      }
      array = new byte[Math.min(2 * limit, MAX_HELD)];
    }
    System.arraycopy(in.array(), keep, array, 0, limit);
    in = ByteBuffer.wrap(array).order(ByteOrder.BIG_ENDIAN).position(0).limit(limit);
    in.position(position);
    base += keep;
    mark = mark == NO_MARK ? NO_MARK : 0;
  }

  private VmStateException failed(IOException e) {
    return failure("more bytes, but reading them failed: " + e, offset(), e);
  }
}
