package io.github.jvhost.testing;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.util.List;

/** Test aid: what is tested on the page. One NIC, and a driver that starts it. */
final class MyVmm implements AutoCloseable {
  private static final int READY =
      DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;

  private final VirtioNet nic = VirtioNet.builder("net0").build();
  private final GuestMemory memory;
  private final List<RingEventfds> rings;
  private final VhostNet net;

  MyVmm(Path socket, DescriptorLedger ledger) {
    memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
    rings = RingEventfds.create(ledger, "net0", 2);
    net = VhostNet.connect(nic, memory, rings, VhostDeviceOptions.of("net0", socket, ledger));
  }

  void boot() {
    net.access(() -> {
      nic.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
      nic.setDriverFeatures(NetFeature.VERSION_1.mask());
      nic.setStatus(READY);
      nic.configureQueue(0, 256, 0x10000, 0x11000, 0x12000);
      nic.configureQueue(1, 256, 0x20000, 0x21000, 0x22000);
      nic.setStatus(READY | DeviceStatus.DRIVER_OK);
    });
  }

  boolean connected() {
    return net.connected();
  }

  void reconnect() {
    net.reconnect();
  }

  @Override
  public void close() {
    net.close();
    memory.close();
    rings.forEach(RingEventfds::close);
  }
}
