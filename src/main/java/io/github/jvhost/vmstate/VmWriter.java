package io.github.jvhost.vmstate;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes big-endian values into an array that grows. All bytes after the written ones are zero. */
final class VmWriter {
  /**
   * Enough for a modern PCI device with packed rings, so that the array grows only for unusual
   * devices.
   */
  private static final int USUAL = 64 * 1024;

  private ByteBuffer out = ByteBuffer.allocate(USUAL);

  void u8(int value) {
    room(1).put((byte) value);
  }

  void u16(int value) {
    room(2).putShort((short) value);
  }

  void u32(int value) {
    room(4).putInt(value);
  }

  void u64(long value) {
    room(8).putLong(value);
  }

  void bytes(byte[] value) {
    room(value.length).put(value);
  }

  void bytes(ByteBuffer value) {
    room(value.remaining()).put(value.duplicate());
  }

  /** A name: its length in one byte, then that many bytes. */
  void name(String name) {
    u8(name.length());
    bytes(name.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Writes an image and goes back to its start, so that single elements can be overwritten. */
  void background(byte[] image) {
    room(image.length).put(out.position(), image);
  }

  int position() {
    return out.position();
  }

  /** Goes to a position that was written or {@linkplain #background prepared} before. */
  void position(int position) {
    out.position(position);
  }

  /** Writes all bytes to the sink and starts again with none. */
  void drainTo(OutputStream sink) throws IOException {
    sink.write(out.array(), 0, out.position());
    Arrays.fill(out.array(), 0, out.position(), (byte) 0);
    out.clear();
  }

  byte[] toArray() {
    return Arrays.copyOf(out.array(), out.position());
  }

  private ByteBuffer room(int count) {
    if (out.remaining() < count) {
      int wanted = Math.max(out.capacity() * 2, Math.addExact(out.position(), count));
      out = ByteBuffer.allocate(wanted).put(out.flip());
    }
    return out;
  }
}
