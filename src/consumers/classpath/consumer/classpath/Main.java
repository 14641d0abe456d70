package consumer.classpath;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndProfile;
import io.github.jvhost.vhost.RingNotifiers;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.VirtioNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Starts a NIC at a back end and stops it, with everything on the class path. */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws IOException {
    Path directory = Files.createTempDirectory("jvhost-consumer");
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (MockBackEnd backEnd = MockBackEnd.builder(directory.resolve("s"), ledger).start()) {
      startAndStop(backEnd.socket(), ledger);
      require(backEnd.record().violations().isEmpty(), "told as the specification has it");
      require(backEnd.record().count(FrontEndRequest.GET_VRING_BASE) == 2, "two rings stopped");
      System.out.println("the back end heard " + backEnd.record().messages().size() + " messages");
    } finally {
      Files.delete(directory);
    }
    require(ledger.openCount() == 0, "no descriptor left: " + ledger.describeOpen());
  }

  private static void startAndStop(Path socket, DescriptorLedger ledger) {
    VirtioNet nic = VirtioNet.builder("net0").build();
    List<RingNotifiers> rings = RingNotifiers.create(ledger, "net0", 2 * nic.maxQueuePairs());
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
      require(net.running(), "the device runs");
      net.stop();
    }
    rings.forEach(RingNotifiers::close);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("not so: " + what);
    }
  }
}
