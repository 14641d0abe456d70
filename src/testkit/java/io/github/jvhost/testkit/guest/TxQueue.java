package io.github.jvhost.testkit.guest;

import org.jspecify.annotations.Nullable;

/**
 * A transmit ring with a buffer for each usable descriptor. As is usual for a network driver, it
 * looks for used chains when it has something to send, so it needs no interrupts.
 *
 * <pre>
 *   queue block (the same for receive)                      buffer of descriptor i
 *   0           8         16          20      24            +----------------+--------------------+
 *   +-----------+---------+-----------+-------+- - -        | virtio-net hdr | frame              |
 *   | ring block| buffers | buffer    | count | mailbox     | 12 (10) zeros  |                    |
 *   |   gpa     |   gpa   | bytes     |       |             +----------------+--------------------+
 *   +-----------+---------+-----------+-------+- - -
 * </pre>
 */
final class TxQueue {
  private final GuestRam ram;
  private final DriverRing ring;
  private final long buffers;
  private final int bufferBytes;
  private boolean posted;

  private TxQueue(GuestRam ram, long block) {
    this.ram = ram;
    ring = DriverRing.attach(ram, ram.getLong(block));
    buffers = ram.getLong(block + 8);
    bufferBytes = ram.getInt(block + 16);
  }

  /**
   * Lays out the ring, and its buffers if there are none yet.
   *
   * @param block the address of its queue block
   */
  static TxQueue create(
      GuestRam ram, long block, boolean packed, int ringSize, int count, int bufferBytes) {
    layOut(ram, block, packed, ringSize, count, bufferBytes).wantInterrupts(false);
    return new TxQueue(ram, block);
  }

  static TxQueue attach(GuestRam ram, long block) {
    return new TxQueue(ram, block);
  }

  /** Fills in the part of the queue block that both directions share. */
  static DriverRing layOut(
      GuestRam ram, long block, boolean packed, int ringSize, int count, int bufferBytes) {
    DriverRing ring = DriverRing.create(ram, packed, ringSize, Math.min(count, ringSize));
    ram.putLong(block, ring.block());
    if (ram.getLong(block + 8) == 0) {
      ram.putLong(block + 8, ram.allocatePages((long) count * bufferBytes));
      ram.putInt(block + 16, bufferBytes);
      ram.putInt(block + 20, count);
    }
    return ring;
  }

  DriverRing ring() {
    return ring;
  }

  /** Returns true if a frame can be sent now. Releases used chains first. */
  boolean hasRoom() {
    for (DriverRing.@Nullable Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
      ring.release(used.head());
    }
    return ring.freeCount() > 0;
  }

  /**
   * Posts a frame.
   *
   * @param headerBytes the length of the virtio-net header, which stays zero: no offload
   * @return false if the frame was not sent because the ring is full or the frame is too long
   */
  boolean send(byte[] frame, int headerBytes) {
    int bytes = headerBytes + frame.length;
    if (!hasRoom() || bytes > bufferBytes) {
      return false;
    }
    long buffer = buffers + (long) ring.nextHead() * bufferBytes;
    ram.write(buffer + headerBytes, frame);
    ring.post(new DriverRing.Part(buffer, bytes, false));
    posted = true;
    return true;
  }

  /**
   * Returns true if frames were posted since the last call and the device wants a kick for them.
   */
  boolean takeKick() {
    boolean kick = posted && ring.needsKick();
    posted = false;
    return kick;
  }
}
