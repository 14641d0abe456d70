package io.github.jvhost.cli;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.QemuStreamWriter;
import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.SectionHeader;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** A small stream of a machine with one device that a real QEMU saved, or more like it. */
final class SmallStream {
  static final String PATH = "0000:00:03.0";

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final QemuStreamWriter writer = new QemuStreamWriter(out);
  private int id = 1;

  /** With the machine's memory, of which no page is sent. */
  SmallStream() {
    this("pc-q35-7.2", 96 << 20);
  }

  /** Of another machine, with so much memory. */
  SmallStream(String machine, long bytes) {
    writer.write(
        new StreamRecord.Configuration(
            machine, OptionalInt.empty(), Optional.empty(), Optional.empty()));
    RamSink ram = writer.ram();
    var header = new SectionHeader(SectionHeader.Part.START, 0, "ram", 0, 4);
    ram.begin(header);
    ram.accept(
        new RamRecord.Blocks(
            List.of(
                new RamBlock(
                    "pc.ram", bytes, OptionalLong.empty(), OptionalLong.empty(), Optional.empty()),
                new RamBlock(
                    "pc.bios",
                    1 << 18,
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    Optional.empty()))));
    ram.accept(new RamRecord.End());
    writer.write(new StreamRecord.Section(header, new SectionBody.Ram()));
  }

  /**
   * The page of the guest's memory in which both indexes of ring 0 lie, all zero but for them; a
   * later one replaces it.
   */
  SmallStream ringIndexes(int used, int available) {
    SavedQueue ring = running().queue(0);
    RamSink ram = writer.ram();
    var header = new SectionHeader(SectionHeader.Part.PART, 0, "ram", 0, 4);
    ByteBuffer page = ByteBuffer.allocate(RamRecord.PAGE_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    long offset = ring.used() - ring.used() % RamRecord.PAGE_SIZE;
    page.putShort((int) (ring.used() + 2 - offset), (short) used);
    page.putShort((int) (ring.avail() + 2 - offset), (short) available);
    ram.begin(header);
    ram.accept(new RamRecord.Page(new RamRecord.Place("pc.ram", offset, true), page));
    ram.accept(new RamRecord.End());
    writer.write(new StreamRecord.Section(header, new SectionBody.Ram()));
    return this;
  }

  /** A running transitional device over virtio-pci, with VLANs and further addresses. */
  static VirtioNetState running() {
    return sample("f_booted_q35_q1_vlan_mac.0.bin.gz");
  }

  /** One that no driver has found yet. */
  static VirtioNetState untouched() {
    return sample("a_pc_transitional_default.0.bin.gz");
  }

  private static VirtioNetState sample(String name) {
    return sample(name, SectionShape.pci(1, 256));
  }

  /** The state that is in a file of the resources. */
  static VirtioNetState sample(String name, SectionShape shape) {
    return VirtioNetVmState.decode(ByteBuffer.wrap(unpacked(name)), shape);
  }

  /** What is in a packed file of the resources. */
  static byte[] unpacked(String name) {
    try (InputStream in =
        new GZIPInputStream(SmallStream.class.getResourceAsStream("/vmstate/" + name))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same with another MAC address. */
  static VirtioNetState withMac(VirtioNetState state, String mac) {
    return state.withNet(state.net().withMac(MacAddress.parse(mac)));
  }

  SmallStream device(String idstr, VirtioNetState state) {
    writer.write(
        new StreamRecord.Section(
            SectionHeader.full(id++, idstr, 0, VirtioNetVmState.VERSION),
            new SectionBody.VirtioNet(state)));
    return this;
  }

  SmallStream device(VirtioNetState state) {
    return device(PATH + "/" + VirtioNetVmState.sectionName(DeviceRecord.Kind.FINAL), state);
  }

  SmallStream other(String idstr) {
    writer.write(
        new StreamRecord.Section(
            SectionHeader.full(id++, idstr, 0, 1),
            new SectionBody.Opaque(Bytes.copyOf(new byte[] {1, 2, 3}))));
    return this;
  }

  byte[] bytes() {
    writer.write(new StreamRecord.EndOfStream());
    writer.describe(4096);
    return out.toByteArray();
  }

  /** Writes it to a file. */
  Path at(Path file) {
    try {
      return Files.write(file, bytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes it to a file, packed. */
  Path packedAt(Path file) {
    try (var packed = new GZIPOutputStream(Files.newOutputStream(file))) {
      packed.write(bytes());
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
