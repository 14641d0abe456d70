package io.github.jvhost.testkit.guest;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.SwitchPort;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.VirtioNet;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** A VMM in miniature: memory, NICs with their wires, and a loopback back end for each. */
final class Machine implements AutoCloseable {
  private static final int PAIRS = 2;

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final GuestMemory memory =
      GuestMemory.builder(ledger)
          .region("low", 0, 16 << 20)
          .region("high", 1L << 32, 1 << 20)
          .build();
  final List<VirtioNet> devices = new ArrayList<>();
  final List<GuestNic> nics = new ArrayList<>();
  final List<SwitchPort> ports = new ArrayList<>();
  private final List<List<EventFd>> kicks = new ArrayList<>();
  private final List<List<EventFd>> calls = new ArrayList<>();
  private final List<LoopbackBackEnd> backEnds = new ArrayList<>();

  Machine(String name, LearningSwitch network, int count) {
    for (int i = 0; i < count; i++) {
      VirtioNet device =
          VirtioNet.builder(name + i)
              .mac(new MacAddress(0x5254_0000_0000L + i))
              .maxQueuePairs(PAIRS)
              .build();
      List<EventFd> nicKicks = wires("kick");
      List<EventFd> nicCalls = wires("call");
      kicks.add(nicKicks);
      calls.add(nicCalls);
      devices.add(device);
      ports.add(network.attach(name + i));
      int index = i;
      DeviceAccess direct = DeviceAccess.direct(device, memory, nicCalls.getLast());
      nics.add(new GuestNic(device, nicKicks, nicCalls, direct));
      device.onChange(change -> {
        // As a VMM does: a reset stops the back end before the driver goes on.
        if (change == DeviceChange.RESET && index < backEnds.size()) {
          backEnds.get(index).close();
        }
        if (change == DeviceChange.CONFIG_INTERRUPT) {
          nics.get(index).configChanged();
        }
      });
    }
  }

  private List<EventFd> wires(String what) {
    return IntStream.range(0, 2 * PAIRS + 1)
        .mapToObj(ring -> EventFd.create(ledger, what + " " + ring))
        .toList();
  }

  void serve(int nic, int[] bases) {
    boolean first = nic >= backEnds.size();
    // What was flooded to a port before anybody served it would be answered a second time. What
    // waits there when a back end starts anew is the guest's.
    while (first && ports.get(nic).poll() != null) {}
    LoopbackBackEnd backEnd =
        new LoopbackBackEnd(
            memory, devices.get(nic), kicks.get(nic), calls.get(nic), ports.get(nic), bases);
    if (first) {
      backEnds.add(backEnd);
    } else {
      backEnds.set(nic, backEnd);
    }
  }

  void serveAll() {
    for (int i = 0; i < devices.size(); i++) {
      serve(i, new int[2 * PAIRS]);
    }
  }

  LoopbackBackEnd backEnd(int nic) {
    return backEnds.get(nic);
  }

  void signalAll() {
    kicks.forEach(wires -> wires.forEach(EventFd::signal));
    calls.forEach(wires -> wires.forEach(EventFd::signal));
  }

  void copyMemoryFrom(Machine source) {
    for (MemoryRegion region : memory.table().regions()) {
      MemorySegment to = memory.slice(region.guestAddress(), region.size());
      to.copyFrom(source.memory.slice(region.guestAddress(), region.size()));
    }
  }

  void copyPageFrom(Machine source, long gpa) {
    memory.slice(gpa, GuestRam.PAGE).copyFrom(source.memory.slice(gpa, GuestRam.PAGE));
  }

  @Override
  public void close() {
    backEnds.forEach(LoopbackBackEnd::close);
    ports.forEach(SwitchPort::close);
    kicks.forEach(wires -> wires.forEach(EventFd::close));
    calls.forEach(wires -> wires.forEach(EventFd::close));
    memory.close();
  }
}
