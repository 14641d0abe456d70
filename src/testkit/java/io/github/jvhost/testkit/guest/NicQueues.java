package io.github.jvhost.testkit.guest;

import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The queues of one NIC as its driver set them up: receive 2i, transmit 2i + 1, and behind them the
 * control queue.
 *
 * @param rx receive queues by pair
 * @param tx transmit queues by pair
 * @param control the control queue, or null without CTRL_VQ
 */
record NicQueues(List<RxQueue> rx, List<TxQueue> tx, @Nullable ControlQueue control) {
  /** The most bytes of a received frame, headers included. The guest's own frames are shorter. */
  private static final int BUFFER_BYTES = 2048;

  /** Lays out new queues in the set that is not in use, and switches to that set. */
  static NicQueues create(GuestRam ram, NicBlock nic, GuestSettings settings, Dma dma) {
    int previous = nic.setInUse();
    int which = nic.set(previous) == 0 ? previous : 1 - previous;
    int pairs = nic.setUpPairs();
    int most = 2 * nic.maxPairs() + 1;
    if (nic.set(which) == 0) {
      long blocks = ram.allocate(8L * most, 8);
      nic.set(which, blocks);
      for (int i = 0; i < most; i++) {
        ram.putLong(blocks + 8L * i, ram.allocate(blockBytes(settings), 64));
      }
    }
    List<RxQueue> rx = new ArrayList<>();
    List<TxQueue> tx = new ArrayList<>();
    int count = settings.buffersPerRing();
    int size = settings.queueSize();
    boolean packed = NetFeature.RING_PACKED.in(nic.features());
    for (int i = 0; i < 2 * pairs; i++) {
      long block = blockOf(ram, nic, which, i);
      if (i % 2 == 0) {
        rx.add(
            RxQueue.create(
                ram, block, packed, size, count, BUFFER_BYTES, settings.mailboxPlaces(), dma));
      } else {
        tx.add(TxQueue.create(ram, block, packed, size, count, BUFFER_BYTES, dma));
      }
    }
    ControlQueue control =
        NetFeature.CTRL_VQ.in(nic.features())
            ? ControlQueue.create(ram, blockOf(ram, nic, which, most - 1), packed, dma)
            : null;
    nic.setInUse(which);
    return new NicQueues(List.copyOf(rx), List.copyOf(tx), control);
  }

  /** Returns the queues that are in memory. */
  static NicQueues attach(GuestRam ram, NicBlock nic, Dma dma) {
    int which = nic.setInUse();
    List<RxQueue> rx = new ArrayList<>();
    List<TxQueue> tx = new ArrayList<>();
    for (int i = 0; i < nic.setUpPairs(); i++) {
      rx.add(RxQueue.attach(ram, blockOf(ram, nic, which, 2 * i), dma));
      tx.add(TxQueue.attach(ram, blockOf(ram, nic, which, 2 * i + 1), dma));
    }
    ControlQueue control =
        NetFeature.CTRL_VQ.in(nic.features())
            ? ControlQueue.attach(ram, blockOf(ram, nic, which, 2 * nic.maxPairs()), dma)
            : null;
    return new NicQueues(List.copyOf(rx), List.copyOf(tx), control);
  }

  /** Unmaps everything. The device was reset. */
  void unmap() {
    rx.forEach(RxQueue::unmap);
    tx.forEach(TxQueue::unmap);
    if (control != null) {
      control.unmap();
    }
  }

  /** Returns a ring by its index; the control ring is the last one. */
  DriverRing ring(int index) {
    if (index == 2 * rx.size() && control != null) {
      return control.ring();
    }
    return index % 2 == 0 ? rx.get(index / 2).ring() : tx.get(index / 2).ring();
  }

  /** Returns how many rings there are. */
  int count() {
    return 2 * rx.size() + (control == null ? 0 : 1);
  }

  private static long blockBytes(GuestSettings settings) {
    return Math.max(ControlQueue.BLOCK, RxQueue.blockBytes(settings.mailboxPlaces()));
  }

  private static long blockOf(GuestRam ram, NicBlock nic, int which, int index) {
    return ram.getLong(nic.set(which) + 8L * index);
  }
}
