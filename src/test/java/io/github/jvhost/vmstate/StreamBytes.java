package io.github.jvhost.vmstate;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A migration stream put together byte by byte, and not by our own writer; it remembers where the
 * numbers are that a test may want to be wrong.
 */
final class StreamBytes {
  /** Where a number is, and in how many bytes. */
  record Place(int at, int size) {}

  private final VmWriter out = new VmWriter();
  private final Map<String, Place> numbers = new LinkedHashMap<>();

  /** With "QEVM" and the version. */
  StreamBytes() {
    u32("magic", 0x5145564D);
    u32("version", 3);
  }

  /**
   * Everything that a stream can have in it, small: two blocks of memory, a foreign device, a
   * virtio-net device, a description.
   */
  static StreamBytes whole() {
    StreamBytes stream = new StreamBytes().configuration("pc-q35-7.2");
    stream.command(1);
    stream.begin(1, 2, "ram", 0, 4);
    stream.u64("ram total", 5 * 4096 | RamFlag.MEM_SIZE);
    stream.block("pc.ram", 4 * 4096);
    stream.block("pc.bios", 4096);
    stream.u64("", RamFlag.END).footer(2);
    stream.part(2, 2);
    stream.u64("fill", RamFlag.ZERO).name("fill name", "pc.ram").u8(0);
    stream.u64("page", 4096 | RamFlag.PAGE | RamFlag.CONTINUE).bytes(new byte[4096]);
    stream.u64("", RamFlag.END).footer(2);
    stream.part(3, 2);
    stream.u64("ram end", RamFlag.END).footer(2);
    stream.begin(4, 5, "timer", 0, 2);
    stream.bytes(new byte[] {1, 2, 3}).footer(5);
    stream.begin(4, 6, "virtio-mmio@00000000feb02e00/virtio-net", 0, 11);
    stream.net(Fixtures.load(Fixtures.MMIO)).footer(6);
    return stream
        .u8(0)
        .description(
            """
            {"page_size": 4096, "devices": [{"name": "timer", "instance_id": 0, "version": 2, \
            "fields": [{"name": "x", "type": "buffer", "size": 3}]}]}\
            """);
  }

  private StreamBytes remember(String name, int size) {
    if (!name.isEmpty()) {
      numbers.put(name, new Place(out.position(), size));
    }
    return this;
  }

  StreamBytes u8(int value) {
    out.u8(value);
    return this;
  }

  StreamBytes u32(String name, int value) {
    remember(name, 4);
    out.u32(value);
    return this;
  }

  StreamBytes u64(String name, long value) {
    remember(name, 8);
    out.u64(value);
    return this;
  }

  StreamBytes bytes(byte[] bytes) {
    out.bytes(bytes);
    return this;
  }

  StreamBytes name(String number, String name) {
    remember(number, 1);
    out.name(name);
    return this;
  }

  StreamBytes configuration(String machine) {
    u8(7).u32("machine length", machine.length());
    return bytes(machine.getBytes(StandardCharsets.ISO_8859_1));
  }

  StreamBytes command(int code, byte... data) {
    u8(8);
    remember("command", 2);
    out.u16(code);
    remember("command length", 2);
    out.u16(data.length);
    return bytes(data);
  }

  /** A section or its first part. */
  StreamBytes begin(int type, int id, String idstr, int instance, int version) {
    u8(type).u32(idstr + " id", id).name(idstr + " name", idstr);
    return u32(idstr + " instance", instance).u32(idstr + " version", version);
  }

  StreamBytes part(int type, int id) {
    return u8(type).u32("part " + type, id);
  }

  StreamBytes block(String name, long length) {
    return name(name + " name", name).u64(name + " length", length);
  }

  StreamBytes footer(int id) {
    return u8(0x7E).u32("footer " + id, id);
  }

  private StreamBytes net(byte[] body) {
    int at = out.position();
    // virtio-mmio, legacy: see MalformedSectionTest.
    numbers.put("queue_sel", new Place(at + 14, 2));
    numbers.put("config_len", new Place(at + 20, 4));
    numbers.put("nvq", new Place(at + 32, 4));
    numbers.put("num", new Place(at + 36, 4));
    return bytes(body);
  }

  StreamBytes description(String json) {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    return u8(6).u32("description length", text.length).bytes(text);
  }

  Map<String, Place> numbers() {
    return numbers;
  }

  byte[] toArray() {
    return out.toArray();
  }

  /** The bytes with a number of them changed. */
  byte[] with(String name, long value) {
    Place number = numbers.get(name);
    if (number == null) {
      throw new IllegalArgumentException(name + " is none of " + numbers.keySet());
    }
    byte[] bytes = toArray();
    byte[] encoded = ByteBuffer.allocate(8).putLong(value).array();
    System.arraycopy(encoded, 8 - number.size(), bytes, number.at(), number.size());
    return bytes;
  }
}
