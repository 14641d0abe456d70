package io.github.jvhost.virtio;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The driver's side of a device's packed control ring, in a guest's memory. */
final class PackedControlGuest implements AutoCloseable {
  static final long DESC = 0x1000;
  static final long DRIVER_EVENT = 0x2000;
  static final long DEVICE_EVENT = 0x3000;
  static final long COMMAND = 0x4000;
  static final long ACK = 0x6000;
  static final long TABLE = 0x7000;
  static final int NEXT = 1;
  static final int WRITE = 2;
  static final int INDIRECT = 4;
  static final int AVAIL = 1 << 7;
  static final int USED = 1 << 15;
  static final int NO_ACK = 0x55;

  final DescriptorLedger ledger = DescriptorLedger.counting();
  final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 0x20000).build();
  final int size;
  private VirtioNet device;
  private int next;
  private boolean wrap = true;
  private int used;
  private boolean usedWrap = true;
  private int nextId = 100;

  /** A device that is live, with these features of those that it offers. */
  PackedControlGuest(VirtioNet device, long features, int size) {
    this.device = device;
    this.size = size;
    device.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
    device.setDriverFeatures(features | NetFeature.RING_PACKED.mask());
    device.setStatus(0xB);
    setUp();
    device.setStatus(DeviceStatus.RUNNING);
  }

  /** Sets the ring up, empty. */
  void setUp() {
    memory.copyIn(DESC, new byte[16 * size]);
    next = 0;
    wrap = true;
    used = 0;
    usedWrap = true;
    device.configureQueue(device.controlQueue(), size, DESC, DRIVER_EVENT, DEVICE_EVENT);
  }

  /** The guest moves: from here on another device serves its ring. */
  void device(VirtioNet other) {
    device = other;
  }

  VirtioNet device() {
    return device;
  }

  /** Executes one command in two descriptors; its answer, or {@link #NO_ACK}. */
  int command(int... bytes) {
    return commandIn(2, bytes);
  }

  /** Executes one command whose chain has that many descriptors. */
  int commandIn(int descriptors, int... bytes) {
    int id = post(descriptors, bytes);
    if (device.serviceControlQueue(memory) == 1) {
      takeUsed(id, descriptors);
    }
    return memory.getByte(ACK);
  }

  /** Makes one command available; the id of its buffer. */
  int post(int descriptors, int... bytes) {
    for (int i = 0; i < bytes.length; i++) {
      memory.putByte(COMMAND + i, (byte) bytes[i]);
    }
    memory.putByte(ACK, (byte) NO_ACK);
    int id = nextId++ & 0xFFFF;
    int head = next;
    boolean headWrap = wrap;
    int pieces = descriptors - 1;
    int headFlags = 0;
    for (int i = 0; i < descriptors; i++) {
      int from = bytes.length * i / pieces;
      int to = bytes.length * (i + 1) / pieces;
      boolean last = i == pieces;
      int flags = last ? WRITE : NEXT;
      if (i == 0) {
        headFlags = flags;
      } else {
        flags |= availableFlags(wrap);
      }
      descriptor(next, last ? ACK : COMMAND + from, last ? 1 : to - from, id, i == 0 ? -1 : flags);
      advance();
    }
    // The head last: it makes all of the chain available.
    memory.putShortRelease(DESC + 16L * head + 14, (short) (headFlags | availableFlags(headWrap)));
    return id;
  }

  /** Whether the next used descriptor is that one, which stands for that many. */
  void takeUsed(int id, int descriptors) {
    long at = DESC + 16L * used;
    int flags = memory.getShortAcquire(at + 14) & 0xFFFF;
    int expected = WRITE | (usedWrap ? AVAIL | USED : 0);
    int usedId = memory.getShort(at + 12) & 0xFFFF;
    if (flags != expected || usedId != id || memory.getInt(at + 8) != 1) {
      throw new AssertionError("used descriptor " + used + ": flags " + flags + ", id " + usedId);
    }
    used += descriptors;
    if (used >= size) {
      used -= size;
      usedWrap = !usedWrap;
    }
  }

  /** Writes one descriptor; with flags -1 these stay as they are. */
  void descriptor(int index, long address, int length, int id, int flags) {
    ByteBuffer bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(address).putInt(length).putShort((short) id).putShort((short) flags);
    memory.copyIn(DESC + 16L * index, bytes.array(), 0, flags == -1 ? 14 : 16);
  }

  /** The flags of a descriptor that is made available now. */
  int availableFlags() {
    return availableFlags(wrap);
  }

  private static int availableFlags(boolean wrap) {
    return wrap ? AVAIL : USED;
  }

  private void advance() {
    if (++next == size) {
      next = 0;
      wrap = !wrap;
    }
  }

  /** Where the device should go on. */
  RingIndex index() {
    return RingIndex.packed(next, wrap, used, usedWrap);
  }

  @Override
  public void close() {
    memory.close();
  }
}
