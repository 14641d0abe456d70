package io.github.jvhost.embedding;

import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

// guide: registers
/** virtio-mmio, version 2 (virtio 1.2, 4.2.2): what the guest sees of a device. */
final class MmioRegisters {
  private static final int QUEUE_NOTIFY = 0x50;
  private static final int INTERRUPT_STATUS = 0x60;
  private static final int INTERRUPT_ACK = 0x64;
  private static final int STATUS = 0x70;
  private static final int CONFIG_GENERATION = 0xfc;
  private static final int CONFIG = 0x100;
  private static final int CONFIG_CHANGED = 2;

  private final VhostNet net;
  private final RingRegisters[] rings;

  /** What the driver has written of a ring that it has not enabled yet. */
  private static final class RingRegisters {
    int size;
    final long[] addresses = new long[3]; // descriptors, available, used
  }

  MmioRegisters(VhostNet net, EventFd interrupt) {
    this.net = net;
    this.rings = new RingRegisters[2 * net.model().maxQueuePairs() + 1];
    for (int i = 0; i < rings.length; i++) {
      rings[i] = new RingRegisters();
    }
    net.model()
        .onChange(change -> {
          if (change == DeviceChange.CONFIG_INTERRUPT) {
            net.model().interruptStatus(CONFIG_CHANGED);
            interrupt.signal();
          } else if (change == DeviceChange.CONTROL_USED) {
            interrupt.signal();
          }
        });
  }

  /** KVM_EXIT_MMIO for a read, on the vCPU's thread. */
  void read(int offset, byte[] into) {
    VirtioNet nic = net.model();
    if (offset >= CONFIG) {
      byte[] config = nic.readConfig(offset - CONFIG, into.length);
      System.arraycopy(config, 0, into, 0, into.length);
    } else if (into.length == Integer.BYTES) {
      little(into)
          .putInt(
              switch (offset) { // an interrupt handler reads these: they wait for nobody
                case INTERRUPT_STATUS -> 1 | nic.interruptStatus(); // no irqfd tells of a used ring
                case STATUS -> nic.status();
                case CONFIG_GENERATION -> (int) nic.changes();
                default -> net.read(_ -> value(nic, offset));
              });
    }
  }

  /** KVM_EXIT_MMIO for a write, on the vCPU's thread. */
  void write(int offset, byte[] from) {
    if (offset >= CONFIG) {
      net.access(() -> net.model().writeConfig(offset - CONFIG, from));
    } else if (from.length == Integer.BYTES) {
      int value = little(from).getInt();
      switch (offset) {
        case QUEUE_NOTIFY -> notified(value);
        case INTERRUPT_ACK -> net.model().clearInterruptStatus(value); // waits for nobody either
        default -> net.access(() -> written(net.model(), offset, value));
      }
    }
  }

  private int value(VirtioNet nic, int offset) {
    int queue = nic.selectedQueue();
    boolean exists = queue < nic.queueCount();
    return switch (offset) {
      case 0x00 -> 0x74726976; // "virt"
      case 0x04 -> 2; // version
      case 0x08 -> 1; // a network card
      case 0x10 -> (int) (nic.deviceFeatures() >>> shift(selects(nic).hostFeaturesSelect()));
      case 0x34 -> exists ? nic.maxRingSize(queue) : 0;
      case 0x44 -> exists && nic.queue(queue).ready() ? 1 : 0;
      case 0xb0, 0xb4, 0xb8, 0xbc -> -1; // length and base of shared memory that is not there
      default -> 0;
    };
  }

  private void written(VirtioNet nic, int offset, int value) {
    TransportState.Mmio now = selects(nic);
    switch (offset) {
      case 0x14 -> nic.transport(selects(value, now.guestFeaturesSelect()));
      case 0x20 -> {
        int shift = shift(now.guestFeaturesSelect());
        long others = now.proxyFeatures() & ~(0xffff_ffffL << shift);
        nic.setDriverFeatures(others | Integer.toUnsignedLong(value) << shift);
      }
      case 0x24 -> nic.transport(selects(now.hostFeaturesSelect(), value));
      case 0x30 -> nic.selectQueue(value);
      case STATUS -> nic.setStatus(value);
      default -> {
        if (nic.selectedQueue() < nic.queueCount()) {
          ringWritten(nic, nic.selectedQueue(), offset, value);
        }
      }
    }
  }

  private void ringWritten(VirtioNet nic, int queue, int offset, int value) {
    RingRegisters ring = rings[queue];
    long[] at = ring.addresses;
    switch (offset) {
      case 0x38 -> ring.size = value;
      case 0x44 -> {
        int size = value == 0 ? nic.ringSize(queue) : ring.size;
        nic.configureQueue(queue, size, value == 0 ? 0 : at[0], at[1], at[2]);
      }
      case 0xc0 -> nic.resetQueue(queue);
      case 0x80, 0x90, 0xa0 -> {
        int which = (offset - 0x80) >> 4;
        at[which] = (at[which] & ~0xffff_ffffL) | Integer.toUnsignedLong(value);
      }
      case 0x84, 0x94, 0xa4 -> {
        int which = (offset - 0x80) >> 4;
        at[which] = (at[which] & 0xffff_ffffL) | (long) value << 32;
      }
      default -> {} // reserved
    }
  }

  /** Where KVM's ioeventfds do not: of the control ring, and of all rings without KVM. */
  private void notified(int queue) {
    int control = net.model().controlQueue();
    if (queue == control) {
      net.serviceControlQueue();
    } else if (queue >= 0 && queue < control) {
      net.kick(queue);
    }
  }

  private static TransportState.Mmio selects(VirtioNet nic) {
    return (TransportState.Mmio) nic.transport();
  }

  private static TransportState.Mmio selects(int host, int guest) {
    return new TransportState.Mmio(true, host, guest, 0, 0);
  }

  /** Half 0 or 1 of 64 features; there are no others. */
  private static int shift(int select) {
    return select == 1 ? 32 : 0;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
// guide: end
