package io.github.jvhost.embedding;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.VirtioMmio;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The guide's VMM, on one host: what it has of its own, and what this library makes of it. */
public final class SmallVmm implements AutoCloseable {
  static final long NET0 = 0xd000_0000L;
  static final long HIGH = 4L << 30;
  static final int HALF = OwnVm.RAM_BYTES / 2;

  public final DescriptorLedger ledger = DescriptorLedger.tracing();
  public final GuestMemory memory;
  final List<RingEventfds> rings;
  public final VhostNet net;
  private final VirtioMmio registers;

  public SmallVmm(OwnVm vm, Path socket) {
    memory = guestMemory(ledger, vm.ramFd());
    rings = eventfds(ledger, vm);
    net = connect(ledger, socket, memory, rings);
    registers = registers(net, vm);
  }

  private static GuestMemory guestMemory(DescriptorLedger ledger, int ramFd) {
    // guide: memory
    try (OwnedDescriptor ram = OwnedDescriptor.duplicateOf(ledger, ramFd, "guest RAM")) {
      return GuestMemory.builder(ledger)
          .region("below 4 GiB", 0, HALF, ram, 0)
          .region("above 4 GiB", HIGH, HALF, ram, HALF)
          .build();
    }
    // guide: end
  }

  private static List<RingEventfds> eventfds(DescriptorLedger ledger, OwnVm vm) {
    // guide: eventfds
    List<RingEventfds> rings = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      rings.add(RingEventfds.duplicateOf(ledger, "net0 ring " + i, vm.ioEventFd(i), vm.irqFd(i)));
    }
    // guide: end
    return rings;
  }

  private static VhostNet connect(
      DescriptorLedger ledger, Path socket, GuestMemory memory, List<RingEventfds> rings) {
    // guide: connect
    VirtioNet nic = VirtioNet.builder("net0").mac(MacAddress.parse("52:54:00:12:34:56")).build();
    VhostDeviceOptions backEnd = VhostDeviceOptions.of("net0", socket, ledger);
    VhostNet net = VhostNet.connect(nic, memory, rings, backEnd);
    // guide: end
    return net;
  }

  private static VirtioMmio registers(VhostNet net, OwnVm vm) {
    // guide: registers
    VirtioMmio registers = new VirtioMmio(net, vm.line()::signal);
    // guide: end
    return registers;
  }

  /** KVM_EXIT_MMIO, on the vCPU's thread: phys_addr, the first len bytes of data, is_write. */
  void mmio(long physicalAddress, byte[] data, boolean isWrite) {
    // guide: mmio
    long offset = physicalAddress - NET0; // the device has VirtioMmio.SIZE bytes from there
    if (isWrite) {
      registers.write(offset, data);
    } else {
      registers.read(offset, data); // KVM_RUN then gives the guest what data holds
    }
    // guide: end
  }

  /** A ring has other eventfds in KVM from now on. */
  public void rebind(OwnVm vm, int ring) {
    // guide: rebind
    RingEventfds others =
        RingEventfds.duplicateOf(ledger, "net0 ring " + ring, vm.ioEventFd(ring), vm.irqFd(ring));
    rings.set(ring, others);
    net.changeEventfds(ring, others).close();
    // guide: end
  }

  public void linkUp(boolean up) {
    net.linkUp(up);
  }

  @Override
  public void close() {
    // guide: close
    net.close(); // first: then the back end maps and signals nothing any more
    rings.forEach(RingEventfds::close);
    memory.close();
    // guide: end
  }
}
