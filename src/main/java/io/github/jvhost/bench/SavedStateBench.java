package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.virtio.Bytes;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.QemuStreamWriter;
import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.SectionHeader;
import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.StreamRecord;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Saved devices: a virtio-net section of a modern PCI device against copying as many bytes, and
 * passing over guest memory in a stream against reading the file.
 */
public final class SavedStateBench implements Bench {
  private static final int PAIRS = 2;
  private static final int RAM_BYTES = 64 << 20;
  private static final int BUFFER = 1 << 16;

  /** Goes in a round of a few milliseconds. */
  private static final int SHORT_GOES = 200;

  private final VirtioNetState state = modernPci();

  /** Benchmarks with a device and a stream of their own. */
  public SavedStateBench() {}

  /**
   * Runs all of it.
   *
   * @return a row for reading, one for writing, one for a whole stream
   * @throws VhostException the stream could not be written to a file or read from it
   */
  @Override
  public List<BenchRow> run(Effort effort) {
    byte[] body = VirtioNetVmState.encode(state);
    SectionShape shape = SectionShape.of(state);
    var timing = new PairedTiming(SHORT_GOES);
    BenchRow read =
        timing.compare(
            "virtio-net section, modern PCI, read; to copying %d bytes".formatted(body.length),
            5,
            () -> VirtioNetVmState.decode(ByteBuffer.wrap(body), shape),
            body::clone,
            effort);
    BenchRow write =
        timing.compare(
            "virtio-net section, modern PCI, write; to copying %d bytes".formatted(body.length),
            5,
            () -> VirtioNetVmState.encode(state),
            body::clone,
            effort);
    return List.of(read, write, wholeStream(effort));
  }

  private BenchRow wholeStream(Effort effort) {
    try {
      Path file = Files.createTempFile("jvhost", ".stream");
      try {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER)) {
          writeStream(out);
        }
        return new PairedTiming(1)
            .compare(
                "whole stream, %d MiB of RAM pages passed over; to reading the file"
                    .formatted(RAM_BYTES >> 20),
                1.5,
                () -> passOver(file),
                () -> readFile(file),
                effort);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** A running device with every ring set up, on PCI with MSI-X. */
  private static VirtioNetState modernPci() {
    byte[] space = new byte[TransportState.Pci.CONFIG_SPACE];
    space[0x06] = 0x10; // there is a capability list, and MSI-X is all that is in it
    space[0x34] = 0x40;
    space[0x40] = 0x11;
    int vectors = 2 * PAIRS + 2;
    space[0x42] = (byte) (vectors - 1);
    var msix =
        new TransportState.Msix(
            Bytes.zeros(vectors * TransportState.Msix.ENTRY), Bytes.zeros(1), SavedQueue.NO_VECTOR);
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
    VirtioNet device = VirtioNet.builder("bench").maxQueuePairs(PAIRS).transport(transport).build();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    device.setStatus(driver);
    device.setDriverFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.MQ.mask());
    device.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int i = 0; i < device.queueCount(); i++) {
      long at = (i + 1L) << 20;
      device.configureQueue(i, 256, at, at + 0x1000, at + 0x2000);
    }
    device.setStatus(driver | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
    return device.snapshot();
  }

  private void writeStream(OutputStream out) {
    var writer = new QemuStreamWriter(out);
    var header = new SectionHeader(SectionHeader.Part.START, 0, "ram", 0, 4);
    RamSink ram = writer.ram();
    ram.begin(header);
    ram.accept(
        new RamRecord.Blocks(
            List.of(
                new RamBlock(
                    "ram",
                    RAM_BYTES,
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    Optional.empty()))));
    ByteBuffer page = ByteBuffer.allocate(RamRecord.PAGE_SIZE).putLong(0, 4711);
    for (long at = 0; at < RAM_BYTES; at += RamRecord.PAGE_SIZE) {
      ram.accept(new RamRecord.Page(new RamRecord.Place("ram", at, at == 0), page));
    }
    ram.accept(new RamRecord.End());
    writer.write(new StreamRecord.Section(header, new SectionBody.Ram()));
    writer.write(
        new StreamRecord.Section(
            SectionHeader.full(1, "0000:00:03.0/virtio-net", 0, VirtioNetVmState.VERSION),
            new SectionBody.VirtioNet(state)));
    writer.write(new StreamRecord.EndOfStream());
  }

  private static Object passOver(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      QemuStreamReader reader = QemuStreamReader.builder().open(in);
      StreamRecord last = null;
      for (var next = reader.next(); next.isPresent(); next = reader.next()) {
        last = next.get();
      }
      return String.valueOf(last);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static Object readFile(Path file) {
    byte[] buffer = new byte[BUFFER];
    try (InputStream in = Files.newInputStream(file)) {
      while (in.read(buffer) >= 0) {
        // What is in it does not matter.
      }
      return buffer;
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private static VhostException failed(IOException e) {
    return new VhostException("a benchmark's stream: " + e.getMessage(), Recovery.GIVE_UP, e);
  }
}
