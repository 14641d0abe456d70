package io.github.jvhost.virtio;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The driver's side of a device's control ring, in a guest's memory. */
final class ControlGuest implements AutoCloseable {
  static final long DESC = 0x1000;
  static final long AVAIL = 0x2000;
  static final long USED = 0x3000;
  static final long COMMAND = 0x4000;
  static final long ACK = 0x6000;
  static final long TABLE = 0x7000;
  static final int SIZE = 16;
  static final int NEXT = 1;
  static final int WRITE = 2;
  static final int INDIRECT = 4;
  static final int NO_ACK = 0x55;

  final DescriptorLedger ledger = DescriptorLedger.counting();
  final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 0x20000).build();
  final VirtioNet device;
  private final ByteOrder order;
  private int available;

  /** A device that is live, with these features of those that it offers. */
  ControlGuest(VirtioNet device, long features) {
    this(device, features, ByteOrder.LITTLE_ENDIAN);
  }

  /** The same, with a driver of either byte order. */
  ControlGuest(VirtioNet device, long features, ByteOrder order) {
    this.device = device;
    this.order = order;
    device.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    device.setDriverFeatures(features);
    device.setStatus(0xB);
    device.configureQueue(device.controlQueue(), SIZE, DESC, AVAIL, USED);
    device.setStatus(DeviceStatus.RUNNING);
  }

  /** Executes one command; its answer, or {@link #NO_ACK} when there was none. */
  int command(int... bytes) {
    post(bytes);
    device.serviceControlQueue(memory);
    return memory.getByte(ACK);
  }

  /** Makes one command available, in the usual two descriptors. */
  void post(int... bytes) {
    for (int i = 0; i < bytes.length; i++) {
      memory.putByte(COMMAND + i, (byte) bytes[i]);
    }
    memory.putByte(ACK, (byte) NO_ACK);
    descriptor(DESC, 0, COMMAND, bytes.length, NEXT, 1);
    descriptor(DESC, 1, ACK, 1, WRITE, 0);
    makeAvailable(0);
  }

  void descriptor(long table, int index, long address, int length, int flags, int next) {
    ByteBuffer bytes = ByteBuffer.allocate(16).order(order);
    bytes.putLong(address).putInt(length).putShort((short) flags).putShort((short) next);
    memory.copyIn(table + 16L * index, bytes.array());
  }

  void makeAvailable(int head) {
    memory.putShort(AVAIL + 4 + 2L * (available % SIZE), ordered(head));
    available = (available + 1) & 0xFFFF;
    memory.putShortRelease(AVAIL + 2, ordered(available));
  }

  /** Lets the ring go on at another index. */
  void startAt(int index) {
    available = index;
    memory.putShort(AVAIL + 2, (short) index);
    memory.putShort(USED + 2, (short) index);
    device.setNextIndex(device.controlQueue(), RingIndex.split(index));
  }

  int usedIndex() {
    return ordered(memory.getShort(USED + 2)) & 0xFFFF;
  }

  private short ordered(int value) {
    return order == ByteOrder.BIG_ENDIAN ? Short.reverseBytes((short) value) : (short) value;
  }

  @Override
  public void close() {
    memory.close();
  }
}
