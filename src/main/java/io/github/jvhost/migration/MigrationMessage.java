package io.github.jvhost.migration;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.VhostNetMigration;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The messages between the two ends of a migration. {@link MessageTable} says which end sends each,
 * and when. All integers are big-endian, as in a QEMU stream.
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

  /** The version of these messages; a side with another one is refused. */
  int VERSION = 2;

  /** The longest name of a region or device, in bytes. */
  int MAX_NAME = MessageBody.MAX_TEXT;

  /** The most entries of a list. */
  int MAX_ENTRIES = 1024;

  /** The most translations of a device. */
  int MAX_TRANSLATIONS = VhostNetMigration.MOST_TRANSLATIONS;

  /** Writes the body. */
  default void write(MessageBody out) {}

  /** A region of guest memory, as far as both sides have to agree. */
  record Region(String name, long guestAddress, long size) {
    private void write(MessageBody out) {
      out.text(name).u64(guestAddress).u64(size);
    }

    private static Region read(MessageBody in) {
      return new Region(in.text(), in.u64(), in.u64());
    }
  }

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

    @Override
    public void write(MessageBody out) {
      out.u32(VERSION).u16(regions.size());
      regions.forEach(region -> region.write(out));
      out.u16(devices.size());
      devices.forEach(out::text);
    }

    static Hello read(MessageBody in) {
      int version = in.u32();
      if (version != VERSION) {
        throw MigrationException.malformed(
            "the other side has version %d, this one %d".formatted(version, VERSION));
      }
      return new Hello(list(in, Region::read), list(in, MessageBody::text));
    }

    private static <T> List<T> list(MessageBody in, Function<MessageBody, T> entry) {
      int count = in.u16();
      if (count > MAX_ENTRIES) {
        throw MigrationException.malformed("a list of %d entries".formatted(count));
      }
      List<T> entries = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        entries.add(entry.apply(in));
      }
      return entries;
    }
  }

  /** A device's record while its guest runs. */
  record Early(DeviceRecord content) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      content.write(out.room(content.size()));
    }
  }

  /** A device's record once its guest has stopped. */
  record Final(DeviceRecord content) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      content.write(out.room(content.size()));
    }
  }

  /**
   * In place of a device's final record, if only its rings have moved since its early record.
   *
   * <pre>
   *   name (u16, bytes) | generation u32 | checksum u32 | the rings
   * </pre>
   *
   * @param generation of the early record
   * @param checksum of the early record, see {@link KnownEarly}
   */
  record Moved(String device, int generation, int checksum, MovedRings rings)
      implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.text(device).u32(generation).u32(checksum);
      rings.write(out);
    }

    static Moved read(MessageBody in) {
      return new Moved(in.text(), in.u32(), in.u32(), MovedRings.read(in));
    }

    /**
     * The final state.
     *
     * @param early what the destination has read; null: nothing
     * @throws MigrationException if that is another record, or these are no rings of it
     */
    VirtioNetState state(@Nullable KnownEarly early) {
      if (early == null || early.generation() != generation || early.checksum() != checksum) {
        throw MigrationException.malformed(
            "rings of %s that moved since early record %d, which did not arrive as it was sent"
                .formatted(device, generation));
      }
      return rings.from(early.state());
    }
  }

  /**
   * Behind a device's early record, where an IOMMU stands behind the device: what its back end was
   * told. A hint, which the destination's IOMMU overrules.
   *
   * <pre>
   *   name (u16, bytes) | count (u16) | count x { iova u64 | guest address u64 | length u64 | access u8 }
   * </pre>
   */
  record Translations(String device, List<Translation> told) implements MigrationMessage {
    public Translations {
      if (told.size() > MAX_TRANSLATIONS) {
        throw new IllegalArgumentException(told.size() + " translations are too many");
      }
      told = List.copyOf(told);
    }

    @Override
    public void write(MessageBody out) {
      out.text(device).u16(told.size());
      for (Translation one : told) {
        out.u64(one.iova()).u64(one.guestAddress()).u64(one.length()).u8(one.access().bits());
      }
    }

    static Translations read(MessageBody in) {
      String device = in.text();
      int count = in.u16();
      if (count > MAX_TRANSLATIONS) {
        throw MigrationException.malformed("%d translations".formatted(count));
      }
      List<Translation> told = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        told.add(one(in));
      }
      return new Translations(device, told);
    }

    private static Translation one(MessageBody in) {
      long iova = in.u64();
      long guestAddress = in.u64();
      long length = in.u64();
      int access = in.u8();
      try {
        return new Translation(iova, guestAddress, length, Access.of(access));
      } catch (IllegalArgumentException e) {
        throw MigrationException.malformed("a translation of " + e.getMessage());
      }
    }
  }

  /** All early records of a generation are there: presetup may begin. */
  record EarlyEnd(int generation) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.u32(generation);
    }

    static EarlyEnd read(MessageBody in) {
      return new EarlyEnd(in.u32());
    }
  }

  /** Pages follow: their address is in this message, and their bytes come right after it. */
  record Pages(long guestAddress, int length) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.u64(guestAddress).u32(length);
    }

    static Pages read(MessageBody in) {
      long guestAddress = in.u64();
      int length = in.u32();
      boolean whole = length > 0 && length % 4096 == 0 && guestAddress % 4096 == 0;
      if (!whole || length > PageSink.MAX_BYTES || guestAddress < 0) {
        throw MigrationException.malformed(
            "%d bytes of pages at 0x%x".formatted(length, guestAddress));
      }
      return new Pages(guestAddress, length);
    }
  }

  /** The source's VM has got another region. */
  record RegionAdded(Region region) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      region.write(out);
    }

    static RegionAdded read(MessageBody in) {
      return new RegionAdded(Region.read(in));
    }
  }

  /** The guest is about to stop: what still goes on beside the stream should come to its end. */
  record Stopping() implements MigrationMessage {}

  /**
   * A part of the own state of a device's back end, at most {@link PageSink#MAX_BYTES}; an empty
   * one is the end.
   */
  record BackEndState(String device, ByteBuffer chunk) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.text(device).chunk(chunk);
    }

    static BackEndState read(MessageBody in) {
      return new BackEndState(in.text(), in.chunk());
    }
  }

  /** Hand-over: the destination has everything now, and the source will not run again. */
  record Commit() implements MigrationMessage {}

  /** The source gives the migration up and runs on. */
  record Cancel(String why) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.text(why);
    }

    static Cancel read(MessageBody in) {
      return new Cancel(in.text());
    }
  }

  /** Return path: the destination can take what HELLO announced. */
  record Ready() implements MigrationMessage {}

  /** Return path: what became of a device's presetup. */
  record Preset(String device, int generation, boolean done, String note)
      implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.text(device).u32(generation).u8(done ? 1 : 0).text(note);
    }

    static Preset read(MessageBody in) {
      return new Preset(in.text(), in.u32(), in.u8() != 0, in.text());
    }
  }

  /** Return path: the guest runs on the destination. */
  record Running() implements MigrationMessage {}

  /** Return path: the destination gives up and does not run the guest. */
  record Abort(String why) implements MigrationMessage {
    @Override
    public void write(MessageBody out) {
      out.text(why);
    }

    static Abort read(MessageBody in) {
      return new Abort(in.text());
    }
  }

  /** The message with its header, ready to be sent. */
  default ByteBuffer encode() {
    MessageBody out = MessageBody.toWrite();
    encode(out);
    return out.bytes().flip();
  }

  /** Writes the message with its header behind others. */
  default void encode(MessageBody out) {
    int at = out.bytes().position();
    out.u32(MessageTable.of(this).type() << 24).u32(0);
    write(out);
    ByteBuffer bytes = out.bytes();
    bytes.putInt(at + 4, bytes.position() - at - HEADER);
  }

  /**
   * The length of the body that follows a header.
   *
   * @throws MigrationException if it is no header
   */
  static int bodyLength(ByteBuffer header) {
    int length = header.getInt(4);
    if (length < 0 || length > MAX_BODY || (header.getInt(0) & 0xffffff) != 0) {
      throw MigrationException.malformed(
          "a message header of type %d and length %d".formatted(header.get(0), length));
    }
    return length;
  }
}
