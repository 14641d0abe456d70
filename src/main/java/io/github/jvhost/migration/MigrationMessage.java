package io.github.jvhost.migration;

import io.github.jvhost.vmstate.DeviceRecord;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What the two ends of a migration say to each other. All integers are big-endian, as in a QEMU
 * stream.
 *
 * <pre>
 *   0       1        4              8
 *   +-------+--------+--------------+----------------------
 *   | type  | zero   | length (u32) | length bytes
 *   +-------+--------+--------------+----------------------
 * </pre>
 */
sealed interface MigrationMessage {
  /** Bytes before the body. */
  int HEADER = 8;

  /** The most bytes that a body may have. */
  int MAX_BODY = PageSink.MAX_BYTES + 1024;

  /** The type of {@link Device} on the wire. */
  int DEVICE = 2;

  /** The type of {@link Commit}. */
  int COMMIT = 6;

  /** Version of the conversation; a side that speaks another one is refused. */
  int VERSION = 1;

  /** The longest name of a region or device, in bytes. */
  int MAX_NAME = 255;

  /** The most entries of a list. */
  int MAX_ENTRIES = 1024;

  /** A region of guest memory, as far as both sides have to agree. */
  record Region(String name, long guestAddress, long size) {}

  /** The first message: what is going to be migrated. */
  record Hello(List<Region> regions, List<String> devices) implements MigrationMessage {
    public Hello {
      if (regions.size() > MAX_ENTRIES || devices.size() > MAX_ENTRIES) {
        throw new IllegalArgumentException(
            regions.size() + " regions and " + devices.size() + " devices are too many");
      }
      regions = List.copyOf(regions);
      devices = List.copyOf(devices);
    }
  }

  /** A device's record, early or final. */
  record Device(DeviceRecord content) implements MigrationMessage {}

  /** All early records of a generation are there: presetup may begin. */
  record EarlyEnd(int generation) implements MigrationMessage {}

  /** Pages follow: their address is told here, the bytes come right behind this message. */
  record Pages(long guestAddress, int length) implements MigrationMessage {}

  /** The source's VM has got another region. */
  record RegionAdded(Region region) implements MigrationMessage {}

  /** The guest is about to stop: what still goes on beside the stream should come to its end. */
  record Stopping() implements MigrationMessage {}

  /**
   * A part of the state that a device's back end has of its own, at most {@link
   * PageSink#MAX_BYTES}; an empty one is the end.
   */
  record BackEndState(String device, ByteBuffer chunk) implements MigrationMessage {}

  /** Hand-over: the destination has everything now, and the source will not run again. */
  record Commit() implements MigrationMessage {}

  /** The source gives the migration up and runs on. */
  record Cancel(String why) implements MigrationMessage {}

  /** Return path: the destination can take what HELLO announced. */
  record Ready() implements MigrationMessage {}

  /** Return path: what became of a device's presetup. */
  record Preset(String device, int generation, boolean done, String note)
      implements MigrationMessage {}

  /** Return path: the guest runs on the destination. */
  record Running() implements MigrationMessage {}

  /** Return path: the destination gives up and does not run the guest. */
  record Abort(String why) implements MigrationMessage {}

  /** The message with its header, ready to be sent. */
  default ByteBuffer encode() {
    ByteBuffer out = ByteBuffer.allocate(HEADER + mostBodyBytes());
    out.position(HEADER);
    int type =
        switch (this) {
          case Hello m -> {
            out.putInt(VERSION);
            out.putShort((short) m.regions().size());
            m.regions().forEach(r -> put(out, r));
            out.putShort((short) m.devices().size());
            m.devices().forEach(d -> put(out, d));
            yield 1;
          }
          case Device m -> {
            m.content().write(out);
            yield DEVICE;
          }
          case EarlyEnd m -> {
            out.putInt(m.generation());
            yield 3;
          }
          case Pages m -> {
            out.putLong(m.guestAddress()).putInt(m.length());
            yield 4;
          }
          case RegionAdded m -> {
            put(out, m.region());
            yield 5;
          }
          case Commit _ -> COMMIT;
          case Stopping _ -> 8;
          case Cancel m -> {
            put(out, m.why());
            yield 7;
          }
          case BackEndState m -> {
            put(out, m.device());
            out.putInt(m.chunk().remaining()).put(m.chunk().duplicate());
            yield 9;
          }
          case Ready _ -> 16;
          case Preset m -> {
            put(out, m.device());
            out.putInt(m.generation()).put((byte) (m.done() ? 1 : 0));
            put(out, m.note());
            yield 17;
          }
          case Running _ -> 18;
          case Abort m -> {
            put(out, m.why());
            yield 19;
          }
        };
    int end = out.position();
    out.put(0, (byte) type).putInt(4, end - HEADER);
    return out.flip();
  }

  private int mostBodyBytes() {
    int name = Short.BYTES + MAX_NAME;
    return switch (this) {
      case Hello m ->
          Integer.BYTES
              + 2 * Short.BYTES
              + m.regions().size() * (name + 2 * Long.BYTES)
              + m.devices().size() * name;
      case Device(DeviceRecord content) -> content.size();
      case Pages _ -> Long.BYTES + Integer.BYTES;
      case BackEndState m -> name + Integer.BYTES + m.chunk().remaining();
      case RegionAdded _ -> name + 2 * Long.BYTES;
      case Preset _ -> 2 * name + Integer.BYTES + 1;
      case Cancel _, Abort _ -> name;
      case EarlyEnd _ -> Integer.BYTES;
      case Commit _, Stopping _, Ready _, Running _ -> 0;
    };
  }

  /**
   * The length of the body that follows a header.
   *
   * @throws MigrationException the header is none
   */
  static int bodyLength(ByteBuffer header) {
    int length = header.getInt(4);
    if (length < 0 || length > MAX_BODY || (header.getInt(0) & 0xffffff) != 0) {
      throw MigrationException.malformed(
          "a message header of type %d and length %d".formatted(header.get(0), length));
    }
    return length;
  }

  /**
   * Reads a body.
   *
   * @param type from the header
   * @param in the body, whole
   * @throws MigrationException it is not what the type says
   */
  static MigrationMessage decode(int type, ByteBuffer in) {
    try {
      MigrationMessage message =
          switch (type) {
            case 1 -> hello(in);
            case DEVICE -> new Device(DeviceRecord.read(in));
            case 3 -> new EarlyEnd(in.getInt());
            case 4 -> pages(in);
            case 5 -> new RegionAdded(region(in));
            case COMMIT -> new Commit();
            case 7 -> new Cancel(string(in));
            case 8 -> new Stopping();
            case 9 -> new BackEndState(string(in), chunk(in));
            case 16 -> new Ready();
            case 17 -> new Preset(string(in), in.getInt(), in.get() != 0, string(in));
            case 18 -> new Running();
            case 19 -> new Abort(string(in));
            default -> throw MigrationException.malformed("a message of unknown type " + type);
          };
      if (in.hasRemaining()) {
        throw MigrationException.malformed(
            "%d bytes behind a message of type %d".formatted(in.remaining(), type));
      }
      return message;
    } catch (BufferUnderflowException e) {
      throw MigrationException.malformed("a message of type " + type + " that is too short");
    }
  }

  private static Hello hello(ByteBuffer in) {
    int version = in.getInt();
    if (version != VERSION) {
      throw MigrationException.malformed(
          "the other side speaks version %d, this one %d".formatted(version, VERSION));
    }
    int regionCount = count(in);
    List<Region> regions = new ArrayList<>();
    for (int i = 0; i < regionCount; i++) {
      regions.add(region(in));
    }
    int deviceCount = count(in);
    List<String> devices = new ArrayList<>();
    for (int i = 0; i < deviceCount; i++) {
      devices.add(string(in));
    }
    return new Hello(regions, devices);
  }

  private static int count(ByteBuffer in) {
    int count = in.getShort() & 0xffff;
    if (count > MAX_ENTRIES) {
      throw MigrationException.malformed("a list of %d entries".formatted(count));
    }
    return count;
  }

  private static Pages pages(ByteBuffer in) {
    long guestAddress = in.getLong();
    int length = in.getInt();
    boolean whole = length > 0 && length % 4096 == 0 && guestAddress % 4096 == 0;
    if (!whole || length > PageSink.MAX_BYTES || guestAddress < 0) {
      throw MigrationException.malformed(
          "%d bytes of pages at 0x%x".formatted(length, guestAddress));
    }
    return new Pages(guestAddress, length);
  }

  private static Region region(ByteBuffer in) {
    return new Region(string(in), in.getLong(), in.getLong());
  }

  /** Copied, because what it is read from is used again. */
  private static ByteBuffer chunk(ByteBuffer in) {
    int length = in.getInt();
    if (length < 0 || length > in.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] bytes = new byte[length];
    in.get(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private static String string(ByteBuffer in) {
    byte[] bytes = new byte[in.getShort() & 0xffff];
    if (bytes.length > in.remaining()) {
      throw new BufferUnderflowException();
    }
    in.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static void put(ByteBuffer out, Region region) {
    put(out, region.name());
    out.putLong(region.guestAddress()).putLong(region.size());
  }

  /** Texts are cut to what fits; a note is for people. */
  private static void put(ByteBuffer out, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, MAX_NAME);
    out.putShort((short) length).put(bytes, 0, length);
  }
}
