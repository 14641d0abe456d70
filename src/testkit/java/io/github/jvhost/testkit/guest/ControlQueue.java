package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Access;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The control virtqueue with at most one pending command (virtio 1.2, 5.1.6.5). The pending command
 * is in guest memory, so that a guest can be stopped between a command and its acknowledgement.
 *
 * <pre>
 *   0            8       16         24                  32     40
 *   +------------+-------+----------+-------------------+------+-----+
 *   | ring block | kind  | argument | class 1, command 1| data | ack |
 *   +------------+-------+----------+-------------------+------+-----+
 *     chain: [class, command] -> [data] -> [ack, written by the device]
 * </pre>
 */
final class ControlQueue {
  static final int BLOCK = 64;
  private static final int SIZE = 16;
  private static final long KIND = 8;
  private static final long ARGUMENT = 16;
  private static final long HEADER = 24;
  private static final long DATA = 32;
  private static final long ACK = 40;

  private final GuestRam ram;
  private final long block;
  private final DriverRing ring;
  private final Dma dma;

  /** The commands. */
  enum Kind {
    NONE(0, 0, 0, 0),
    SET_MAC(1, 1, 1, 6),
    ANNOUNCE_ACK(2, 3, 0, 0),
    SET_PAIRS(3, 4, 0, 2);

    private final int code;
    private final int commandClass;
    private final int command;
    private final int dataBytes;

    Kind(int code, int commandClass, int command, int dataBytes) {
      this.code = code;
      this.commandClass = commandClass;
      this.command = command;
      this.dataBytes = dataBytes;
    }
  }

  /** A command that the device has answered. */
  record Done(Kind kind, long argument, boolean accepted) {}

  private ControlQueue(GuestRam ram, long block, Dma dma) {
    this.ram = ram;
    this.block = block;
    this.dma = dma;
    ring = DriverRing.attach(ram, ram.getLong(block));
  }

  static ControlQueue create(GuestRam ram, long block, boolean packed, Dma dma) {
    ram.zero(block, BLOCK);
    ram.putLong(block, DriverRing.create(ram, packed, SIZE, SIZE).block());
    ControlQueue queue = new ControlQueue(ram, block, dma);
    dma.mapRing(queue.ring);
    dma.map(block, BLOCK, Access.READ_WRITE);
    return queue;
  }

  static ControlQueue attach(GuestRam ram, long block, Dma dma) {
    return new ControlQueue(ram, block, dma);
  }

  /** Unmaps the ring and the commands. The device does not use them any more. */
  void unmap() {
    dma.unmapRing(ring);
    dma.unmap(block, BLOCK);
  }

  DriverRing ring() {
    return ring;
  }

  /** Returns the kind of the pending command. */
  Kind underWay() {
    int code = ram.getInt(block + KIND);
    for (Kind kind : Kind.values()) {
      if (kind.code == code) {
        return kind;
      }
    }
    throw ram.failure("control command " + code);
  }

  /**
   * Posts a command; only when none is pending. The caller notifies the device.
   *
   * @param argument the number of pairs, or the MAC address as {@code MacAddress.value()}
   */
  void post(Kind kind, long argument) {
    ram.putInt(block + KIND, kind.code);
    ram.putLong(block + ARGUMENT, argument);
    ram.putByte(block + HEADER, kind.commandClass);
    ram.putByte(block + HEADER + 1, kind.command);
    ram.putByte(block + ACK, 0xff);
    DriverRing.Part header = new DriverRing.Part(dma.address(block, block + HEADER), 2, false);
    DriverRing.Part ack = new DriverRing.Part(dma.address(block, block + ACK), 1, true);
    if (kind.dataBytes == 0) {
      ring.post(header, ack);
      return;
    }
    // A number is little-endian. A MAC address is sent first byte first: it is the last six bytes
    // of the
    // big-endian number.
    byte[] data =
        kind == Kind.SET_MAC
            ? ByteBuffer.allocate(8).putLong(argument << 16).array()
            : ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(argument).array();
    ram.write(block + DATA, data);
    long at = dma.address(block, block + DATA);
    ring.post(header, new DriverRing.Part(at, kind.dataBytes, false), ack);
  }

  /** Takes the device's answer. Returns null if there is none yet. */
  @Nullable Done poll() {
    DriverRing.Used used = ring.takeUsed();
    if (used == null) {
      return null;
    }
    ring.release(used.head());
    Done done = new Done(underWay(), ram.getLong(block + ARGUMENT), ram.getByte(block + ACK) == 0);
    ram.putInt(block + KIND, Kind.NONE.code);
    return done;
  }
}
