package io.github.jvhost.bench;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamWriter;
import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.SectionHeader;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** A saved machine to measure with: one running virtio-net device on PCI, and its memory. */
public final class SampleMachine {
  private static final int PAGE_BYTES = 4096;

  private SampleMachine() {}

  /**
   * A running device with every ring set up, on modern PCI with MSI-X.
   *
   * @param pairs queue pairs, 1 or more
   */
  public static VirtioNetState device(int pairs) {
    byte[] space = new byte[TransportState.Pci.CONFIG_SPACE];
    space[0x06] = 0x10; // there is a capability list, and MSI-X is all that is in it
    space[0x34] = 0x40;
    space[0x40] = 0x11;
    int vectors = 2 * pairs + 2;
    space[0x42] = (byte) (vectors - 1);
    space[0x43] = (byte) ((vectors - 1) >> Byte.SIZE);
    var msix =
        new TransportState.Msix(
            Bytes.zeros(vectors * TransportState.Msix.ENTRY),
            Bytes.zeros((vectors + 7) / 8),
            SavedQueue.NO_VECTOR);
    var transport =
        new TransportState.Pci(
            true,
            Bytes.copyOf(space),
            Collections.nCopies(TransportState.Pci.INTERRUPT_LINES, 0),
            Optional.of(msix),
            0,
            0,
            0,
            OptionalLong.empty());
    VirtioNet device =
        VirtioNet.builder("sample").maxQueuePairs(pairs).transport(transport).build();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    device.setStatus(driver);
    device.setDriverFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask());
    device.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int i = 0; i < device.queueCount(); i++) {
      long at = (i + 1L) << 20;
      device.configureQueue(i, device.maxRingSize(i), at, at + 0x1000, at + 0x2000);
    }
    device.setStatus(DeviceStatus.RUNNING);
    return device.snapshot();
  }

  /**
   * Writes what QEMU would save of a machine with that device.
   *
   * @param device its state
   * @param ramBytes of guest memory, whole pages
   * @param pages whether a page is sent for each of them
   * @param out stays open
   */
  public static void save(VirtioNetState device, long ramBytes, boolean pages, OutputStream out) {
    var writer = new QemuStreamWriter(out);
    writer.write(
        new StreamRecord.Configuration(
            "pc-q35-7.2", OptionalInt.empty(), Optional.empty(), Optional.empty()));
    var header = new SectionHeader(SectionHeader.Part.START, 0, "ram", 0, 4);
    RamSink ram = writer.ram();
    ram.begin(header);
    ram.accept(
        new RamRecord.Blocks(
            List.of(
                new RamBlock(
                    "pc.ram",
                    ramBytes,
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    Optional.empty()))));
    if (pages) {
      ByteBuffer page = ByteBuffer.allocate(RamRecord.PAGE_SIZE).putLong(0, 4711);
      for (long at = 0; at < ramBytes; at += RamRecord.PAGE_SIZE) {
        ram.accept(new RamRecord.Page(new RamRecord.Place("pc.ram", at, at == 0), page));
      }
    }
    ram.accept(new RamRecord.End());
    writer.write(new StreamRecord.Section(header, new SectionBody.Ram()));
    writer.write(
        new StreamRecord.Section(
            SectionHeader.full(1, "0000:00:03.0/virtio-net", 0, VirtioNetVmState.VERSION),
            new SectionBody.VirtioNet(device)));
    writer.write(new StreamRecord.EndOfStream());
    writer.describe(PAGE_BYTES);
  }
}
