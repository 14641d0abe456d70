package io.github.jvhost.testkit.scenario;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.MemoryRegion;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.guest.DeviceAccess;
import io.github.jvhost.testkit.guest.GuestIommu;
import io.github.jvhost.testkit.guest.GuestNic;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceChange;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a VMM owns on one host: guest memory, the devices, and the eventfds between guest and back
 * ends. It takes the place of a VMM, and is an example of how to use the library.
 */
final class Host implements AutoCloseable {
  static final String RAM = "ram";
  private static final int MTU = 1500;
  private static final Duration RETRY = Duration.ofMillis(50);

  private final GuestMemory memory;

  /** Of each device, in their order; none without an IOMMU. */
  private final List<IommuTable> iommus = new ArrayList<>();

  /** Answers back ends that lack a translation; null without an IOMMU. */
  private final @Nullable BackEndWatch watch;

  private final List<VhostNet> devices = new ArrayList<>();
  private final List<GuestNic> nics = new ArrayList<>();
  private final List<RingEventfds> eventfds = new ArrayList<>();
  private final List<EventFd> controlCalls = new ArrayList<>();

  Host(
      ScenarioOptions options,
      BackEnds backEnds,
      BackEnds.Side side,
      Dialect dialect,
      DescriptorLedger ledger) {
    memory = GuestMemory.builder(ledger).region(RAM, 0, options.memoryBytes()).build();
    watch = options.iommu() ? BackEndWatch.start(ledger, BackEndWatch.Listener.NONE) : null;
    try {
      for (int i = 0; i < options.devices(); i++) {
        String name = "net" + i;
        VhostDeviceOptions at =
            VhostDeviceOptions.of(
                name, backEnds.address(side, i), dialect, options.profile(), ledger);
        plug(model(name, i, options), at, side, ledger);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private static VirtioNet model(String name, int index, ScenarioOptions options) {
    long packed = options.packed() ? NetFeature.RING_PACKED.mask() : 0;
    long platform = options.iommu() ? NetFeature.ACCESS_PLATFORM.mask() : 0;
    return VirtioNet.builder(name)
        .mac(mac(index))
        .mtu(MTU)
        .maxQueuePairs(options.maxQueuePairs())
        .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | packed | platform)
        .build();
  }

  /** Returns the configured address of a NIC, which is locally administered. */
  static MacAddress mac(int index) {
    return MacAddress.parse("52:54:00:12:34:%02x".formatted(0x50 + index));
  }

  private void plug(
      VirtioNet model, VhostDeviceOptions at, BackEnds.Side side, DescriptorLedger ledger) {
    String where = side.label() + " " + model.name();
    List<RingEventfds> rings = RingEventfds.create(ledger, where, 2 * model.maxQueuePairs());
    eventfds.addAll(rings);
    EventFd controlCall = EventFd.create(ledger, where + " control call");
    controlCalls.add(controlCall);
    var iommu = new IommuTable();
    VhostNet device =
        VhostNet.connect(
            model, new DeviceMemory(memory, watch == null ? Iommu.NONE : iommu), rings, at);
    devices.add(device);
    if (watch != null) {
      iommus.add(iommu);
      watch.watch(device, new ReconnectPolicy.Fixed(RETRY, 0));
    }
    List<EventFd> kicks = rings.stream().map(RingEventfds::kick).toList();
    List<EventFd> calls = new ArrayList<>(rings.stream().map(RingEventfds::call).toList());
    calls.add(controlCall);
    GuestNic nic =
        new GuestNic(model, kicks, calls, access(device), GuestIommu.of(iommu, device, true));
    model.onChange(change -> {
      if (change == DeviceChange.CONFIG_INTERRUPT) {
        nic.configChanged();
      } else if (change == DeviceChange.CONTROL_USED) {
        controlCall.signal();
      }
    });
    nics.add(nic);
  }

  /**
   * Runs the guest's accesses on the device. The guest's thread waits for them, as a vCPU does on
   * KVM.
   */
  private static DeviceAccess access(VhostNet device) {
    return new DeviceAccess() {
      @Override
      public void registers(Runnable accesses) {
        device.access(accesses);
      }

      @Override
      public void controlKick() {
        device.serviceControlQueue();
      }
    };
  }

  GuestMemory memory() {
    return memory;
  }

  List<VhostNet> devices() {
    return devices;
  }

  /** Returns the IOMMU of a device, by the device's place; only with IOMMUs. */
  IommuTable iommu(int device) {
    return iommus.get(device);
  }

  /** Its IOMMUs get the state of another host's, whose guest is paused. */
  void takeIommus(Host source) {
    for (int i = 0; i < iommus.size(); i++) {
      source.iommus.get(i).mappings().forEach(iommus.get(i)::map);
    }
  }

  List<GuestNic> nics() {
    return nics;
  }

  long pages() {
    return memory.totalBytes() / MemoryRegion.PAGE;
  }

  @Override
  public void close() {
    if (watch != null) {
      watch.close();
    }
    devices.forEach(VhostNet::close);
    eventfds.forEach(RingEventfds::close);
    controlCalls.forEach(EventFd::close);
    memory.close();
  }
}
