package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.vhost.plan.RingAddresses;
import java.util.concurrent.TimeUnit;

/**
 * The driver's half of one virtio-blk queue: a split ring in guest memory and a place for each
 * request (virtio 1.2, 5.2.6).
 *
 * <pre>
 *   base + 0       descriptor table      a request is a chain of three:
 *        + 0x1000  available ring          0 type (4) reserved (4) sector (8)   read by the device
 *        + 0x2000  used ring              16 512 bytes                           written (or read)
 *        + 0x4000  places of requests    528 status (1)                          written
 * </pre>
 *
 * The used index that the driver has seen is not kept: requests of one queue are awaited in order.
 */
final class BlockQueue implements AutoCloseable {
  static final int SIZE = 64;
  static final int SECTOR = 512;
  static final long BYTES = 0x20000;

  private static final int PLACES = SIZE / 3;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int NEXT = 1;
  private static final int DEVICE_WRITES = 2;
  private static final byte UNTOUCHED = (byte) 0xEE;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  final EventFd kick;
  final EventFd call;
  private final GuestMemory memory;
  private final long base;
  private int submitted;

  /**
   * An empty queue.
   *
   * @param base its guest address; it takes up {@link #BYTES}
   */
  BlockQueue(GuestMemory memory, long base, DescriptorLedger ledger) {
    this.memory = memory;
    this.base = base;
    kick = EventFd.create(ledger, "kick");
    call = EventFd.create(ledger, "call");
  }

  RingAddresses addresses() {
    return new RingAddresses(base, used(), available());
  }

  private long available() {
    return base + 0x1000;
  }

  private long used() {
    return base + 0x2000;
  }

  /** Goes on at other indexes, as a driver that has used the ring for long. */
  void goOnAt(int availableIndex, int usedIndex) {
    submitted = availableIndex;
    memory.putShortRelease(available() + 2, (short) availableIndex);
    memory.putShortRelease(used() + 2, (short) usedIndex);
  }

  int availableIndex() {
    return Short.toUnsignedInt(memory.getShortAcquire(available() + 2));
  }

  int usedIndex() {
    return Short.toUnsignedInt(memory.getShortAcquire(used() + 2));
  }

  /** Which chain the device put at this position of the used ring: its head. */
  int usedHead(int position) {
    return memory.getInt(used() + 4 + 8L * (position % SIZE));
  }

  /** The head of a request's chain. */
  int headOf(int request) {
    return 3 * (request % PLACES);
  }

  /** Makes a read request available; the device is not sent. */
  int submitRead(long sector) {
    return submit(READ, sector, new byte[SECTOR]);
  }

  /** Makes a write request available; the device is not sent. */
  int submitWrite(long sector, byte[] content) {
    return submit(WRITE, sector, content);
  }

  private int submit(int type, long sector, byte[] content) {
    int request = submitted;
    int head = headOf(request);
    long place = place(request);
    memory.putInt(place, type);
    memory.putInt(place + 4, 0);
    memory.putLong(place + 8, sector);
    memory.copyIn(place + 16, content);
    memory.putByte(place + 16 + SECTOR, UNTOUCHED);
    descriptor(head, place, 16, NEXT);
    descriptor(head + 1, place + 16, SECTOR, type == READ ? NEXT | DEVICE_WRITES : NEXT);
    descriptor(head + 2, place + 16 + SECTOR, 1, DEVICE_WRITES);
    memory.putShort(available() + 4 + 2L * (request % SIZE), (short) head);
    submitted = (request + 1) & 0xFFFF;
    memory.putShortRelease(available() + 2, (short) submitted);
    return request;
  }

  private long place(int request) {
    return base + 0x4000 + (request % PLACES) * 0x400L;
  }

  private void descriptor(int index, long address, int length, int flags) {
    long at = base + 16L * index;
    memory.putLong(at, address);
    memory.putInt(at + 8, length);
    memory.putShort(at + 12, (short) flags);
    memory.putShort(at + 14, (short) (index + 1));
  }

  boolean untouched(int request) {
    return memory.getByte(place(request) + 16 + SECTOR) == UNTOUCHED;
  }

  /** What a completed request has read, or written. */
  byte[] content(int request) {
    assertThat(memory.getByte(place(request) + 16 + SECTOR)).as("the request's status").isZero();
    byte[] content = new byte[SECTOR];
    memory.copyOut(place(request) + 16, content);
    return content;
  }

  /** Waits until the device has moved its index there; it is looked at without a call, too. */
  void awaitUsed(int index, Deadline deadline) {
    try (var poller = new Poller(1)) {
      poller.add(call.descriptor().number(), Poller.IN);
      while (usedIndex() != index) {
        assertThat(deadline.expired())
            .as("used index %d instead of %d at the deadline", usedIndex(), index)
            .isFalse();
        poller.await(Math.min(LOOK_NANOS, Math.max(1, deadline.remainingNanos())));
        call.drain();
      }
    }
  }

  /** Reads a sector: submits, kicks and waits. */
  byte[] read(long sector, Deadline deadline) {
    int before = usedIndex();
    int request = submitRead(sector);
    kick.signal();
    awaitUsed((before + 1) & 0xFFFF, deadline);
    return content(request);
  }

  @Override
  public void close() {
    kick.close();
    call.close();
  }
}
