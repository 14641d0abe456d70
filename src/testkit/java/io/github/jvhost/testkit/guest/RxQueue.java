package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.Access;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A receive ring. The guest reads a received frame at once, but does not post its buffer again: the
 * buffer goes into the <em>mailbox</em>. It stays there, as the back end wrote it, until the
 * mailbox needs its place for another frame. The guest then reads the bytes a second time, compares
 * them with the digest of the first time, and posts the buffer again. Only the back end's dirty log
 * records the back end's writes. So a migration that ignores the log leaves old bytes in the
 * mailbox's buffers, and the guest finds each of them.
 *
 * <pre>
 *   queue block
 *   0     24       28    32          40
 *   +-----+--------+-----+-----------+------------------------+------------- - -
 *   | as  | places | 1 =  | received  | place 0: head 4, len 4,| place 1
 *   | Tx  |        |mapped| (counter) |   digest 4, filled 4   |
 *   +-----+--------+-----+-----------+------------------------+------------- - -
 *   frame number n is kept in place n % places
 * </pre>
 */
final class RxQueue {
  private static final long PLACES = 24;
  private static final long RECEIVED = 32;
  private static final long MAILBOX = 40;
  private static final int PLACE = 16;

  private final GuestRam ram;
  private final DriverRing ring;
  private final long block;
  private final long buffers;
  private final int bufferBytes;
  private final int count;
  private final int places;
  private final Dma dma;
  private boolean posted;

  private RxQueue(GuestRam ram, long block, Dma dma) {
    this.ram = ram;
    this.dma = dma;
    this.block = block;
    ring = DriverRing.attach(ram, ram.getLong(block));
    buffers = ram.getLong(block + 8);
    bufferBytes = ram.getInt(block + 16);
    count = ram.getInt(block + 20);
    places = ram.getInt(block + PLACES);
    if (count < 1 || bufferBytes < 64 || places < 1 || places >= count) {
      throw ram.failure("no receive queue at 0x" + Long.toHexString(block));
    }
  }

  /** Returns the bytes of a queue block with this many places. */
  static long blockBytes(int places) {
    return MAILBOX + (long) PLACE * places;
  }

  /** Lays out the ring, and its buffers if there are none yet. Empties the mailbox. */
  static RxQueue create(
      GuestRam ram,
      long block,
      boolean packed,
      int ringSize,
      int count,
      int bufferBytes,
      int places,
      Dma dma) {
    ram.putInt(block + PLACES, places);
    ram.putLong(block + RECEIVED, 0);
    ram.zero(block + MAILBOX, (long) PLACE * places);
    TxQueue.layOut(ram, block, packed, ringSize, count, bufferBytes).wantInterrupts(true);
    RxQueue queue = new RxQueue(ram, block, dma);
    dma.mapRing(queue.ring);
    return queue;
  }

  static RxQueue attach(GuestRam ram, long block, Dma dma) {
    return new RxQueue(ram, block, dma);
  }

  /** Unmaps the ring and its buffers. The device does not use them any more. */
  void unmap() {
    dma.unmapRing(ring);
    TxQueue.unmapBuffers(ram, block, dma);
  }

  DriverRing ring() {
    return ring;
  }

  /** Posts every free buffer. */
  void fill() {
    TxQueue.mapBuffers(ram, block, dma, Access.WRITE);
    while (ring.freeCount() > 0) {
      long buffer = buffers + (long) ring.nextHead() * bufferBytes;
      ring.post(new DriverRing.Part(TxQueue.address(dma, buffer), bufferBytes, true));
      posted = true;
    }
  }

  /**
   * Reads the frames that have arrived.
   *
   * @param headerBytes the length of the virtio-net header
   * @param frames receives every frame without that header
   * @param damaged receives a description of each damaged frame
   */
  void receive(int headerBytes, Consumer<byte[]> frames, Consumer<String> damaged) {
    for (DriverRing.@Nullable Used used = ring.takeUsed(); used != null; used = ring.takeUsed()) {
      int length = used.length();
      if (length < headerBytes || length > bufferBytes) {
        damaged.accept("a received length of " + length + " bytes");
        ring.release(used.head());
        continue;
      }
      byte[] bytes = ram.read(buffer(used.head()), length);
      byte[] frame = new byte[length - headerBytes];
      System.arraycopy(bytes, headerBytes, frame, 0, frame.length);
      frames.accept(frame);
      keep(used.head(), bytes, damaged);
    }
    fill();
  }

  private void keep(int head, byte[] bytes, Consumer<String> damaged) {
    long number = ram.getLong(block + RECEIVED);
    long place = block + MAILBOX + PLACE * Math.floorMod(number, (long) places);
    if (ram.getInt(place + 12) != 0) {
      int kept = ram.getInt(place);
      verify(place, damaged);
      ring.release(kept);
    }
    ram.putInt(place, head);
    ram.putInt(place + 4, bytes.length);
    ram.putInt(place + 8, digest(bytes));
    ram.putInt(place + 12, 1);
    ram.putLong(block + RECEIVED, number + 1);
  }

  /** Compares every frame in the mailbox with its digest, and leaves it there. */
  void verifyMailbox(Consumer<String> damaged) {
    for (int i = 0; i < places; i++) {
      long place = block + MAILBOX + (long) PLACE * i;
      if (ram.getInt(place + 12) != 0) {
        verify(place, damaged);
      }
    }
  }

  private void verify(long place, Consumer<String> damaged) {
    int head = ram.getInt(place);
    int length = ram.getInt(place + 4);
    if (head < 0 || head >= count || length < 0 || length > bufferBytes) {
      throw ram.failure("mailbox place at 0x" + Long.toHexString(place) + " is damaged");
    }
    if (digest(ram.read(buffer(head), length)) != ram.getInt(place + 8)) {
      damaged.accept("the frame kept in buffer " + head + " is not the one that was received");
    }
  }

  /**
   * Returns true if buffers were posted since the last call and the device wants a kick for them.
   */
  boolean takeKick() {
    boolean kick = posted && ring.needsKick();
    posted = false;
    return kick;
  }

  private long buffer(int head) {
    return buffers + (long) head * bufferBytes;
  }

  private static int digest(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }
}
