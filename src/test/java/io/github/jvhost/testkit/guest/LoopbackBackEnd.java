package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.DirtyBitmap;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.QueueState;
import io.github.jvhost.virtio.VirtioNet;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The least device side that a guest can run against: split rings, a chain of one descriptor each,
 * one thread. It writes memory through slices, so that its writes are noted in a bitmap of its own
 * and not among the guest's.
 */
final class LoopbackBackEnd implements AutoCloseable {
  private static final int HEADER = 12;

  private final GuestMemory memory;
  private final VirtioNet device;
  private final List<EventFd> kicks;
  private final List<EventFd> calls;
  private final SwitchPort port;
  private final DirtyBitmap dirty;
  private final EventFd wake;
  private final Thread thread;
  private final int[] next;
  private int nextReceivePair;
  private volatile boolean stopping;

  /**
   * Begins to serve.
   *
   * @param bases for each data ring the next available index
   */
  LoopbackBackEnd(
      GuestMemory memory,
      VirtioNet device,
      List<EventFd> kicks,
      List<EventFd> calls,
      SwitchPort port,
      int[] bases) {
    this.memory = memory;
    this.device = device;
    this.kicks = kicks;
    this.calls = calls;
    this.port = port;
    next = bases.clone();
    dirty = new DirtyBitmap(memory.table().highestAddress());
    wake = EventFd.create(kicks.getFirst().descriptor().ledger(), "back end wake-up");
    port.onFrame(wake::signal);
    thread = Thread.ofPlatform().daemon().name("loopback").start(this::run);
  }

  DirtyBitmap dirty() {
    return dirty;
  }

  /** Stops, and says for each ring where it stopped; frames that wait in the port stay there. */
  int[] stop() throws InterruptedException {
    stopping = true;
    wake.signal();
    thread.join(TimeUnit.SECONDS.toMillis(10));
    port.onFrame(() -> {});
    return next.clone();
  }

  @Override
  public void close() {
    try {
      stop();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    wake.close();
  }

  private void run() {
    try (Poller poller = new Poller(next.length + 1)) {
      while (!stopping) {
        poller.clear();
        poller.add(wake.descriptor().number(), Poller.IN);
        for (int ring = 1; ring < next.length; ring += 2) {
          poller.add(kicks.get(ring).descriptor().number(), Poller.IN);
        }
        poller.await(TimeUnit.MILLISECONDS.toNanos(20));
        wake.drain();
        for (int ring = 1; ring < next.length; ring += 2) {
          kicks.get(ring).drain();
          if (ring < device.controlQueue()) {
            transmit(ring);
          }
        }
        receive();
      }
    }
  }

  private void transmit(int ring) {
    QueueState queue = device.queue(ring);
    while (queue.isSetUp() && available(queue) != next[ring]) {
      int head = head(queue, ring);
      long at = memory.getLong(queue.desc() + 16L * head);
      byte[] frame = new byte[memory.getInt(queue.desc() + 16L * head + 8) - HEADER];
      memory.copyOut(at + HEADER, frame);
      use(ring, queue, head, 0);
      port.transmit(frame);
    }
  }

  private void receive() {
    int pairs = device.currentQueuePairs();
    while (true) {
      int ring = 2 * (nextReceivePair++ % pairs);
      QueueState queue = device.queue(ring);
      if (!queue.isSetUp() || available(queue) == next[ring]) {
        return;
      }
      byte[] frame = port.poll();
      if (frame == null) {
        return;
      }
      int head = head(queue, ring);
      long at = memory.getLong(queue.desc() + 16L * head);
      MemorySegment buffer = memory.slice(at, HEADER + frame.length);
      buffer.asSlice(0, HEADER).fill((byte) 0);
      MemorySegment.copy(frame, 0, buffer, ValueLayout.JAVA_BYTE, HEADER, frame.length);
      dirty.mark(at, HEADER + frame.length);
      use(ring, queue, head, HEADER + frame.length);
    }
  }

  private int available(QueueState queue) {
    return memory.getShortAcquire(queue.avail() + 2) & 0xffff;
  }

  private int head(QueueState queue, int ring) {
    int slot = next[ring] % queue.size();
    return memory.getShort(queue.avail() + 4 + 2L * slot) & 0xffff;
  }

  private void use(int ring, QueueState queue, int head, int written) {
    MemorySegment used = memory.slice(queue.used(), 4 + 8L * queue.size());
    int index = next[ring];
    used.set(ValueLayout.JAVA_INT_UNALIGNED, 4 + 8L * (index % queue.size()), head);
    used.set(ValueLayout.JAVA_INT_UNALIGNED, 8 + 8L * (index % queue.size()), written);
    next[ring] = (index + 1) & 0xffff;
    ValueLayout.JAVA_SHORT.varHandle().setRelease(used, 2L, (short) next[ring]);
    dirty.mark(queue.used(), 4 + 8L * queue.size());
    if ((memory.getShort(queue.avail()) & 1) == 0) {
      calls.get(ring).signal();
    }
  }
}
