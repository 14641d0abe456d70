package io.github.jvhost.testkit.scenario;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A message of a migration's stream as it is on the wire, taken apart by hand.
 *
 * <pre>
 *   type, 3 zero bytes, length (u32, big-endian), body; behind PAGES the pages
 * </pre>
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared.
record Frame(int type, byte[] body, byte[] pages) {
  static final int HELLO = 1;
  static final int DEVICE = 2;
  static final int EARLY_END = 3;
  static final int PAGES = 4;
  static final int REGION_ADDED = 5;
  static final int COMMIT = 6;
  static final int STOPPING = 8;
  static final int BACK_END_STATE = 9;
  static final int MOVED = 11;
  static final int READY = 16;
  static final int PRESET = 17;
  static final int RUNNING = 18;
  static final int ABORT = 19;

  /** In a device record: "JVDR", version, kind. */
  private static final int KIND = 5;

  static Frame of(int type, ByteBuffer body) {
    byte[] bytes = new byte[body.flip().remaining()];
    body.get(bytes);
    return new Frame(type, bytes, new byte[0]);
  }

  static Frame empty(int type) {
    return new Frame(type, new byte[0], new byte[0]);
  }

  static List<Frame> parse(byte[] stream) {
    ByteBuffer in = ByteBuffer.wrap(stream);
    List<Frame> frames = new ArrayList<>();
    while (in.hasRemaining()) {
      int type = in.getInt() >>> 24;
      byte[] body = new byte[in.getInt()];
      in.get(body);
      byte[] pages = new byte[type == PAGES ? ByteBuffer.wrap(body).getInt(8) : 0];
      in.get(pages);
      frames.add(new Frame(type, body, pages));
    }
    return frames;
  }

  static byte[] stream(List<Frame> frames) {
    var out = new ByteArrayOutputStream();
    for (Frame frame : frames) {
      ByteBuffer header = ByteBuffer.allocate(8).put(0, (byte) frame.type);
      out.writeBytes(header.putInt(4, frame.body.length).array());
      out.writeBytes(frame.body);
      out.writeBytes(frame.pages);
    }
    return out.toByteArray();
  }

  boolean isFinalRecord() {
    return type == DEVICE && body[KIND] == 2;
  }

  boolean isEarlyRecord() {
    return type == DEVICE && body[KIND] == 1;
  }

  /** The body with another number at an offset. */
  Frame with(int offset, long value, int bytes) {
    byte[] copy = body.clone();
    for (int i = 0; i < bytes; i++) {
      copy[offset + i] = (byte) (value >>> (8 * (bytes - 1 - i)));
    }
    return new Frame(type, copy, pages);
  }

  /** The body with another text of the same length in place of the first one. */
  Frame with(String text, String other) {
    String all = new String(body, ISO_8859_1);
    int at = all.indexOf(text);
    String changed = all.substring(0, at) + other + all.substring(at + text.length());
    return new Frame(type, changed.getBytes(ISO_8859_1), pages);
  }

  /** The text of a body that is one, behind its length. */
  String text() {
    return new String(body, 2, body.length - 2, ISO_8859_1);
  }
}
