package io.github.jvhost.migration;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Writes and reads the body of a message: numbers, texts and bytes. */
final class MessageBody {
  /** The longest text, in bytes. */
  static final int MAX_TEXT = 255;

  private static final int USUAL = 256;

  private ByteBuffer bytes;

  private MessageBody(ByteBuffer bytes) {
    this.bytes = bytes;
  }

  /** One to be written, which grows. */
  static MessageBody toWrite() {
    return new MessageBody(ByteBuffer.allocate(USUAL));
  }

  /** One to be read; reading past its end throws a {@link BufferUnderflowException}. */
  static MessageBody toRead(ByteBuffer body) {
    return new MessageBody(body);
  }

  /** Room for that many bytes more. */
  ByteBuffer room(int count) {
    if (bytes.remaining() < count) {
      int size = Math.max(2 * bytes.capacity(), bytes.position() + count);
      bytes = ByteBuffer.allocate(size).put(bytes.flip());
    }
    return bytes;
  }

  /** The bytes as they were written, or what is left to be read. */
  ByteBuffer bytes() {
    return bytes;
  }

  MessageBody u8(int value) {
    room(1).put((byte) value);
    return this;
  }

  MessageBody u16(int value) {
    room(2).putShort((short) value);
    return this;
  }

  MessageBody u32(int value) {
    room(4).putInt(value);
    return this;
  }

  MessageBody u64(long value) {
    room(8).putLong(value);
    return this;
  }

  /** Texts are cut to what fits; a note is for people. */
  MessageBody text(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(utf8.length, MAX_TEXT);
    u16(length);
    room(length).put(utf8, 0, length);
    return this;
  }

  MessageBody chunk(ByteBuffer chunk) {
    u32(chunk.remaining());
    room(chunk.remaining()).put(chunk.duplicate());
    return this;
  }

  int u8() {
    return bytes.get() & 0xff;
  }

  int u16() {
    return bytes.getShort() & 0xffff;
  }

  int u32() {
    return bytes.getInt();
  }

  long u64() {
    return bytes.getLong();
  }

  String text() {
    return new String(array(u16()), StandardCharsets.UTF_8);
  }

  /** A copy, because the buffer that it is read from is used again. */
  ByteBuffer chunk() {
    return ByteBuffer.wrap(array(u32()));
  }

  private byte[] array(int length) {
    if (length < 0 || length > bytes.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] array = new byte[length];
    bytes.get(array);
    return array;
  }
}
