package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * This library's envelope for the saved state of one device. Unlike QEMU's sections it has a
 * length, so that it can be skipped, and a generation, so that it can be sent again.
 *
 * <pre>
 *    0        4         5      6       7            11       15      15+n
 *   +--------+---------+------+-------+------------+--------+-------+---------+
 *   | "JVDR" | version | kind | n u8  | generation | b u32  | name  | body    |     big-endian
 *   |        | = 1     | 1, 2 | 1-255 | u31        | &lt;= 1Mi | n     | b bytes |
 *   +--------+---------+------+-------+------------+--------+-------+---------+
 * </pre>
 *
 * @param device name of the device, the same at both ends; 1 to {@value #MAX_NAME} bytes as UTF-8
 * @param kind early or final
 * @param generation counts the changes that the source noticed, from 0; a later generation replaces
 *     an earlier one
 * @param body at most {@value #MAX_BODY} bytes
 */
public record DeviceRecord(String device, Kind kind, int generation, Bytes body) {
  /** The longest name, in bytes. */
  public static final int MAX_NAME = 255;

  /** The largest body, in bytes. */
  public static final int MAX_BODY = 1 << 20;

  private static final int MAGIC = 0x4A564452;
  private static final int VERSION = 1;
  private static final int HEADER = 15;

  /** Whether the record is sent before or after the guest stops. */
  public enum Kind {
    /**
     * Sent while the guest is running. It may be sent again, and the final record always follows.
     */
    EARLY(1),
    /** Sent after the guest has stopped. This is the state that the destination restores. */
    FINAL(2);

    private final int code;

    Kind(int code) {
      this.code = code;
    }
  }

  /** Checks the ranges. */
  public DeviceRecord {
    Objects.requireNonNull(kind, "kind");
    int name = utf8(device).length;
    if (name == 0 || name > MAX_NAME) {
      throw new IllegalArgumentException("device name of " + name + " bytes");
    }
    if (generation < 0) {
      throw new IllegalArgumentException("generation " + generation);
    }
    if (body.size() > MAX_BODY) {
      throw new IllegalArgumentException("body of " + body.size() + " bytes");
    }
  }

  /** {@return how many bytes {@link #write} writes} */
  public int size() {
    return HEADER + utf8(device).length + body.size();
  }

  /** {@return the record as bytes} */
  public byte[] encode() {
    ByteBuffer out = ByteBuffer.allocate(size());
    write(out);
    return out.array();
  }

  /**
   * Writes the record at the buffer's position, whatever the buffer's byte order.
   *
   * @param out has room for {@link #size()} bytes; its position moves to the end of the record
   */
  public void write(ByteBuffer out) {
    byte[] name = utf8(device);
    ByteOrder order = out.order();
    out.order(ByteOrder.BIG_ENDIAN)
        .putInt(MAGIC)
        .put((byte) VERSION)
        .put((byte) kind.code)
        .put((byte) name.length)
        .putInt(generation)
        .putInt(body.size())
        .put(name)
        .put(body.asBuffer())
        .order(order);
  }

  /**
   * Reads a record from a buffer.
   *
   * @param in holds the record at its position, which moves to the end of the record
   * @return the record, with a copy of the body
   * @throws VmStateException when there is no record, or not all of it; then the position stays
   */
  public static DeviceRecord read(ByteBuffer in) {
    VmReader reader = new VmReader("device record", in);
    expect(reader, "magic", "JVDR", reader.u32() == MAGIC);
    expect(reader, "version", "version " + VERSION, reader.u8() == VERSION);
    int code = reader.u8();
    expect(reader, "kind", "1 (early) or 2 (final)", code == 1 || code == 2);
    int nameLength = reader.u8();
    expect(reader, "name length", "1 to " + MAX_NAME, nameLength > 0);
    int generation = reader.u32();
    expect(reader, "generation", "a generation from 0", generation >= 0);
    int bodyLength = reader.u32();
    boolean bounded = bodyLength >= 0 && bodyLength <= MAX_BODY;
    expect(reader, "body length", "at most " + MAX_BODY + " bytes", bounded);
    reader.enter("name");
    String device = text(reader, reader.bytes(nameLength));
    reader.leave();
    reader.enter("body");
    Bytes body = Bytes.copyOf(reader.view(bodyLength));
    in.position(in.position() + (int) reader.offset());
    return new DeviceRecord(
        device, code == Kind.EARLY.code ? Kind.EARLY : Kind.FINAL, generation, body);
  }

  private static void expect(VmReader reader, String field, String expected, boolean holds) {
    if (!holds) {
      reader.enter(field);
      throw reader.failure(expected);
    }
  }

  private static byte[] utf8(String text) {
    // Not String.getBytes: it replaces what cannot be encoded, so different names would become
    // equal.
    try {
      ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      byte[] out = new byte[bytes.remaining()];
      bytes.get(out);
      return out;
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("device name is not valid text", e);
    }
  }

  private static String text(VmReader reader, byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw reader.failure("a name in UTF-8");
    }
  }

  @Override
  public String toString() {
    return device + " " + kind + " " + generation + " (" + body.size() + " bytes)";
  }
}
