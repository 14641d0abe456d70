package consumer.nic;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.util.List;

/** Starts a NIC at a back end and stops it. */
public final class Nic {
  private Nic() {}

  /** Returns whether the device ran. */
  public static boolean startAndStop(Path socket, DescriptorLedger ledger) {
    boolean ran;
    VirtioNet nic = VirtioNet.builder("net0").build();
    List<RingEventfds> rings = RingEventfds.create(ledger, "net0", 2 * nic.maxQueuePairs());
    VhostDeviceOptions backEnd =
        VhostDeviceOptions.of("net0", socket, Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger);
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 16L << 20).build();
        VhostNet net = VhostNet.connect(nic, memory, rings, backEnd)) {
      int ready = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;
      net.access(() -> {
        nic.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
        nic.setDriverFeatures(nic.deviceFeatures());
        nic.setStatus(ready);
        nic.configureQueue(0, 256, 0x10000, 0x11000, 0x12000);
        nic.configureQueue(1, 256, 0x20000, 0x21000, 0x22000);
        nic.setStatus(ready | DeviceStatus.DRIVER_OK);
      });
      ran = net.running();
      net.stop();
    }
    rings.forEach(RingEventfds::close);
    return ran;
  }
}
