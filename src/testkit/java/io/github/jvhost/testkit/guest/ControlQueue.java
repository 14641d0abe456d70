package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Access;
import io.github.jvhost.virtio.ControlCommand;
import org.jspecify.annotations.Nullable;

/**
 * The control virtqueue with at most one pending command (virtio 1.2, 5.1.6.5). The pending command
 * is in guest memory, so that a guest can be stopped between a command and its acknowledgement.
 *
 * <pre>
 *   0            8       16         24                   26    32
 *   +------------+-------+----------+--------------------+-----+------+
 *   | ring block | kind  | argument | class 1, command 1 | ack | data |
 *   +------------+-------+----------+--------------------+-----+------+
 *     chain: [class, command] -> [data] -> [ack, written by the device]
 * </pre>
 */
final class ControlQueue {
  static final int BLOCK = 1024;

  /** The longest data of a command. */
  static final int MOST_DATA = BLOCK - 32;

  private static final int SIZE = 16;
  private static final int ANNOUNCE = 3;
  private static final long KIND = 8;
  private static final long ARGUMENT = 16;
  private static final long HEADER = 24;
  private static final long ACK = 26;
  private static final long DATA = 32;

  private final GuestRam ram;
  private final long block;
  private final DriverRing ring;
  private final Dma dma;

  /** The commands, as guest memory says which one is pending. */
  enum Kind {
    NONE(0),
    SET_MAC(1),
    ANNOUNCE_ACK(2),
    SET_PAIRS(3),

    /** One that changes nothing in the guest; its argument is its number. */
    OTHER(4);

    private final int code;

    Kind(int code) {
      this.code = code;
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

  /** Posts the acknowledgement of an announcement; the same rules. */
  void postAnnounceAck() {
    post(Kind.ANNOUNCE_ACK, 0, ANNOUNCE, 0, new byte[0]);
  }

  /**
   * Posts a command; only when none is pending. The caller notifies the device.
   *
   * @param argument by which the answer is recognised
   */
  void post(Kind kind, long argument, ControlCommand command) {
    post(kind, argument, command.commandClass(), command.command(), command.data());
  }

  private void post(Kind kind, long argument, int commandClass, int command, byte[] data) {
    ram.putInt(block + KIND, kind.code);
    ram.putLong(block + ARGUMENT, argument);
    ram.putByte(block + HEADER, commandClass);
    ram.putByte(block + HEADER + 1, command);
    ram.putByte(block + ACK, 0xff);
    DriverRing.Part header = new DriverRing.Part(dma.address(block, block + HEADER), 2, false);
    DriverRing.Part ack = new DriverRing.Part(dma.address(block, block + ACK), 1, true);
    if (data.length == 0) {
      ring.post(header, ack);
      return;
    }
    ram.write(block + DATA, data);
    long at = dma.address(block, block + DATA);
    ring.post(header, new DriverRing.Part(at, data.length, false), ack);
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
