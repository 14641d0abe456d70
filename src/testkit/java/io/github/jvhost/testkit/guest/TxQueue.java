package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Access;
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
 *   transmit only:   24 frames sent   28 1 = the buffers are mapped   32 gpa of the slots
 *
 *   a slot for each buffer: the I/O virtual addresses of that buffer, if each frame is mapped. It
 *   has two bytes: 0, or 1 + the number of the chain whose frame is mapped there
 * </pre>
 */
final class TxQueue {
  private static final long PAGE = GuestRam.PAGE;
  private static final long SENT = 24;
  private static final long MAPPED = 28;
  private static final long SLOTS = 32;

  private final GuestRam ram;
  private final DriverRing ring;
  private final long block;
  private final long buffers;
  private final int bufferBytes;
  private final int count;
  private final Dma dma;
  private boolean posted;

  private TxQueue(GuestRam ram, long block, Dma dma) {
    this.ram = ram;
    this.block = block;
    this.dma = dma;
    ring = DriverRing.attach(ram, ram.getLong(block));
    buffers = ram.getLong(block + 8);
    bufferBytes = ram.getInt(block + 16);
    count = ram.getInt(block + 20);
  }

  /**
   * Lays out the ring, and its buffers if there are none yet.
   *
   * @param block the address of its queue block
   */
  static TxQueue create(
      GuestRam ram, long block, boolean packed, int ringSize, int count, int bufferBytes, Dma dma) {
    layOut(ram, block, packed, ringSize, count, bufferBytes).wantInterrupts(false);
    if (dma.perFrame() && ram.getLong(block + SLOTS) == 0) {
      ram.putLong(block + SLOTS, ram.allocate(2L * count, 8));
    }
    TxQueue queue = new TxQueue(ram, block, dma);
    dma.mapRing(queue.ring);
    return queue;
  }

  static TxQueue attach(GuestRam ram, long block, Dma dma) {
    return new TxQueue(ram, block, dma);
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

  /** Maps the buffers of a queue, page by page, unless they are mapped. */
  static void mapBuffers(GuestRam ram, long block, Dma dma, Access access) {
    if (ram.getInt(block + MAPPED) == 0) {
      ram.putInt(block + MAPPED, 1);
      for (long page = ram.getLong(block + 8); page < endOfBuffers(ram, block); page += PAGE) {
        dma.map(page, PAGE, access);
      }
    }
  }

  /** Unmaps the buffers of a queue if they are mapped. */
  static void unmapBuffers(GuestRam ram, long block, Dma dma) {
    if (ram.getInt(block + MAPPED) != 0) {
      ram.putInt(block + MAPPED, 0);
      for (long page = ram.getLong(block + 8); page < endOfBuffers(ram, block); page += PAGE) {
        dma.unmap(page, PAGE);
      }
    }
  }

  private static long endOfBuffers(GuestRam ram, long block) {
    return ram.getLong(block + 8) + (long) ram.getInt(block + 16) * ram.getInt(block + 20);
  }

  /** Returns what the device is told for a buffer whose page is mapped. */
  static long address(Dma dma, long buffer) {
    return dma.address(buffer & -PAGE, buffer);
  }

  DriverRing ring() {
    return ring;
  }

  /** Returns true if a frame can be sent now. Releases used chains first. */
  boolean hasRoom() {
    for (DriverRing.@Nullable Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
      if (dma.perFrame()) {
        unmapFrame(used.head());
      }
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
    int head = ring.nextHead();
    long buffer = buffers + (long) head * bufferBytes;
    ram.write(buffer + headerBytes, frame);
    long address;
    if (dma.perFrame()) {
      address = mapFrame(head, buffer);
    } else {
      mapBuffers(ram, block, dma, Access.READ);
      address = address(dma, buffer);
    }
    ring.post(new DriverRing.Part(address, bytes, false));
    posted = true;
    return true;
  }

  /**
   * Maps a frame in the next free slot. There is one, as at most {@code count} chains are posted.
   */
  private long mapFrame(int head, long buffer) {
    int slot = ram.getInt(block + SENT) % count;
    while (ram.getShort(slotAt(slot)) != 0) {
      slot = (slot + 1) % count;
    }
    ram.putShort(slotAt(slot), head + 1);
    ram.putInt(block + SENT, (slot + 1) % count);
    return dma.mapFrame(unit(slot), buffer);
  }

  private void unmapFrame(int head) {
    int slot = 0;
    while (slot < count && ram.getShort(slotAt(slot)) != head + 1) {
      slot++;
    }
    if (slot == count) {
      throw ram.failure("chain " + head + " was used, and no slot has its frame");
    }
    clear(slot);
  }

  private void clear(int slot) {
    ram.putShort(slotAt(slot), 0);
    dma.unmapFrame(unit(slot));
  }

  private long slotAt(int slot) {
    return ram.getLong(block + SLOTS) + 2L * slot;
  }

  private long unit(int slot) {
    return buffers + (long) slot * bufferBytes;
  }

  /** Unmaps the ring and the frames. The device does not use them any more. */
  void unmap() {
    dma.unmapRing(ring);
    unmapBuffers(ram, block, dma);
    for (int slot = 0; dma.perFrame() && slot < count; slot++) {
      if (ram.getShort(slotAt(slot)) != 0) {
        clear(slot);
      }
    }
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
