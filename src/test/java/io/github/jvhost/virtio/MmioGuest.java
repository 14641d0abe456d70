package io.github.jvhost.virtio;

import io.github.jvhost.vmstate.SectionShape;
import io.github.jvhost.vmstate.VirtioNetVmState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A guest's side of virtio-mmio, with a device behind it that can move to another host. */
final class MmioGuest {
  VirtioNet model;
  ModelOwner owner;
  int interrupts;
  private VirtioMmio registers;

  MmioGuest(VirtioNet model) {
    connect(model);
  }

  private void connect(VirtioNet device) {
    model = device;
    owner = new ModelOwner(device);
    registers = new VirtioMmio(owner, () -> interrupts++);
  }

  /** The device is saved, as QEMU's section has it, and goes on elsewhere. */
  void migrate() {
    VirtioNet there = model.twin();
    byte[] section = VirtioNetVmState.encode(model.snapshot());
    there.restore(VirtioNetVmState.decode(ByteBuffer.wrap(section), SectionShape.of(there)));
    connect(there);
  }

  void write(long offset, int value) {
    writeBytes(offset, ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  void writeBytes(long offset, byte... bytes) {
    registers.write(offset, bytes);
  }

  int read(long offset) {
    return ByteBuffer.wrap(readBytes(offset, 4)).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }

  byte[] readBytes(long offset, int length) {
    byte[] bytes = new byte[length];
    bytes[0] = 0x77; // what the access before has left there
    registers.read(offset, bytes);
    return bytes;
  }

  void acknowledge(long features) {
    write(0x24, 1);
    write(0x20, (int) (features >>> 32));
    write(0x24, 0);
    write(0x20, (int) features);
  }
}
