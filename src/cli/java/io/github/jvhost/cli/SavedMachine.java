package io.github.jvhost.cli;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.EarlyForm;
import io.github.jvhost.vmstate.NetSectionName;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.RamBlock;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.SectionHeader;
import io.github.jvhost.vmstate.StreamRecord;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * A machine in a stream: its type, its memory, its virtio-net devices, and the number and size of
 * other sections.
 *
 * @param name the stream's name, for messages
 * @param machine its type; "" if the stream has no configuration section
 * @param blocks the blocks of guest memory
 * @param devices the final sections of virtio-net devices, in the order in which the devices were
 *     made
 * @param early their sections that were sent while the guest ran
 * @param others how many sections of other devices there are
 * @param otherBytes the bytes of these sections
 */
record SavedMachine(
    String name,
    String machine,
    List<RamBlock> blocks,
    List<Device> devices,
    List<Device> early,
    int others,
    long otherBytes) {

  /**
   * A virtio-net section.
   *
   * @param header its header
   * @param state the state that was read
   * @param body its bytes in the stream
   */
  record Device(SectionHeader header, VirtioNetState state, Bytes body) {
    /**
     * Returns the device's path in its machine; "" for an early section that is identified by
     * order.
     */
    String path() {
      return section().path();
    }

    private NetSectionName section() {
      return NetSectionName.parse(header.idstr()).orElseThrow();
    }
  }

  /**
   * Reads a stream to its end.
   *
   * @throws VhostException (GIVE_UP) when it is no stream, or not a whole one
   */
  static SavedMachine read(String name, InputStream standardInput) {
    return InputFile.use(name, standardInput, stream -> read(name, new Reading(), stream));
  }

  private static SavedMachine read(String name, Reading reading, InputStream stream) {
    QemuStreamReader reader = QemuStreamReader.builder().ram(reading).open(stream);
    for (var next = reader.next(); next.isPresent(); next = reader.next()) {
      reading.take(next.get(), reader);
    }
    reader.expectEnd();
    return new SavedMachine(
        name,
        reading.machine,
        List.copyOf(reading.blocks),
        List.copyOf(reading.devices),
        List.copyOf(reading.early),
        reading.others,
        reading.otherBytes);
  }

  private static final class Reading implements RamSink {
    private final List<RamBlock> blocks = new ArrayList<>();
    private final List<Device> devices = new ArrayList<>();
    private final List<Device> early = new ArrayList<>();
    private String machine = "";
    private int others;
    private long otherBytes;

    void take(StreamRecord record, QemuStreamReader reader) {
      switch (record) {
        case StreamRecord.Configuration configuration -> machine = configuration.machine();
        case StreamRecord.Section(var header, SectionBody.VirtioNet body) ->
            section(header, body, reader.lastBody());
        case StreamRecord.Section(var header, var body) -> section(header, body, Bytes.EMPTY);
        // A package's sections are read like others, but their bytes are not kept.
        case StreamRecord.Packaged(var records) -> records.forEach(this::packaged);
        case StreamRecord.Command _, StreamRecord.EndOfStream _, StreamRecord.Description _ -> {}
      }
    }

    private void packaged(StreamRecord record) {
      if (record instanceof StreamRecord.Section(var header, var body)) {
        section(header, body, Bytes.EMPTY);
      }
    }

    private void section(SectionHeader header, SectionBody body, Bytes bytes) {
      switch (body) {
        case SectionBody.VirtioNet(var state) -> {
          var device = new Device(header, state, bytes);
          boolean isEarly = device.section().kind() == DeviceRecord.Kind.EARLY;
          (isEarly ? early : devices).add(device);
        }
        case SectionBody.Opaque(var opaque) -> {
          others++;
          otherBytes += opaque.size();
        }
        case SectionBody.Ram _ -> {}
      }
    }

    @Override
    public void begin(SectionHeader header) {}

    @Override
    public void accept(RamRecord record) {
      if (record instanceof RamRecord.Blocks(var listed)) {
        blocks.addAll(listed);
      }
    }

    @Override
    public boolean wantsPages() {
      return false;
    }
  }

  /**
   * Returns the guest's RAM, which is the largest block. The others are firmware and video memory.
   */
  Optional<RamBlock> ram() {
    return blocks.stream().max(Comparator.comparingLong(RamBlock::length));
  }

  /** Returns the early state of a device, if the stream has one. */
  Optional<Device> earlyOf(Device device) {
    List<String> paths = devices.stream().map(Device::path).toList();
    return early.stream()
        .filter(e -> {
          int at = EarlyForm.deviceOf(e.header(), paths);
          return at >= 0 && paths.get(at).equals(device.path());
        })
        .findFirst();
  }

  /** Returns the device at a path, if there is one. */
  Optional<Device> device(String path) {
    return devices.stream().filter(device -> device.path().equals(path)).findFirst();
  }

  /**
   * Returns the device at a path.
   *
   * @throws VhostException (GIVE_UP) when there is none; the message lists the devices
   */
  Device requireDevice(String path) {
    return device(path)
        .orElseThrow(() ->
            new VhostException(
                "%s: there is no virtio-net device %s; there are: %s"
                    .formatted(
                        name,
                        path,
                        devices.isEmpty()
                            ? "none"
                            : String.join(", ", devices.stream().map(Device::path).toList())),
                Recovery.GIVE_UP));
  }

  /**
   * Returns a description on one line: "pc-q35-7.2, 128 MiB of RAM (pc.ram), 28 other sections of
   * 34567 bytes".
   */
  String describe() {
    return "%s: %s, %s, %d other section%s of %d bytes"
        .formatted(
            name,
            machine.isEmpty() ? "machine unknown" : machine,
            ram()
                .map(block -> "%d MiB of RAM (%s)".formatted(block.length() >> 20, block.name()))
                .orElse("no RAM"),
            others,
            others == 1 ? "" : "s",
            otherBytes);
  }
}
