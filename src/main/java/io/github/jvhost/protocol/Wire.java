package io.github.jvhost.protocol;

import io.github.jvhost.Bytes;
import io.netty.buffer.ByteBuf;
import java.nio.ByteOrder;
import java.util.function.Supplier;

/** Byte order, and the checks that all decoders share. */
final class Wire {
  /** The number of rings. An index has 8 bits in messages with a descriptor. */
  static final int MAX_RINGS = 256;

  private static final boolean LITTLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

  private Wire() {}

  static void putShort(ByteBuf out, int value) {
    out.writeShort(LITTLE ? Short.reverseBytes((short) value) : value);
  }

  static void putInt(ByteBuf out, int value) {
    out.writeInt(LITTLE ? Integer.reverseBytes(value) : value);
  }

  static void putLong(ByteBuf out, long value) {
    out.writeLong(LITTLE ? Long.reverseBytes(value) : value);
  }

  static int getUnsignedShort(ByteBuf in) {
    return LITTLE ? in.readUnsignedShortLE() : in.readUnsignedShort();
  }

  static int getInt(ByteBuf in) {
    return LITTLE ? in.readIntLE() : in.readInt();
  }

  static long getLong(ByteBuf in) {
    return LITTLE ? in.readLongLE() : in.readLong();
  }

  /** Copies that many bytes. The caller has checked that they exist. */
  static Bytes getBytes(ByteBuf in, int size) {
    return Bytes.copyOf(in.readSlice(size).nioBuffer());
  }

  /** Checks that the size is that of the layout, and that {@code in} has that many bytes. */
  static void exactly(String what, ByteBuf in, int size, int expected) {
    between(what, in, size, expected, expected);
  }

  static void between(String what, ByteBuf in, int size, int least, int most) {
    if (size < least || size > most) {
      throw new ProtocolException(
          "decoding " + what + ": " + size + " bytes, expected " + range(least, most));
    }
    if (in.readableBytes() < size) {
      throw new ProtocolException(
          "decoding " + what + ": " + in.readableBytes() + " of " + size + " bytes are there");
    }
  }

  private static String range(int least, int most) {
    return least == most ? Integer.toString(least) : least + " to " + most;
  }

  /**
   * Builds a record from a peer's values. If its constructor refuses them, the peer is at fault.
   */
  static <T> T parsed(String what, Supplier<T> constructor) {
    try {
      return constructor.get();
    } catch (IllegalArgumentException e) {
      throw new ProtocolException("decoding " + what + ": " + e.getMessage());
    }
  }

  static void requireRing(int index) {
    if (index < 0 || index >= MAX_RINGS) {
      throw new IllegalArgumentException(
          "ring index " + Integer.toUnsignedString(index) + " is not within 0 to 255");
    }
  }

  /** A range of addresses may end exactly at 2^64 but not wrap around. */
  static void requireNoWrap(String what, long start, long size) {
    if (Long.compareUnsigned(start + (size - 1), start) < 0) {
      throw new IllegalArgumentException(
          what
              + " 0x"
              + Long.toHexString(start)
              + " + 0x"
              + Long.toHexString(size)
              + " goes around the end of the address space");
    }
  }
}
