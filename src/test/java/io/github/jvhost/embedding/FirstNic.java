package io.github.jvhost.embedding;

// guide: first program
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

class FirstNic {
  static final int RX = 0x10000; // where the driver puts its rings, and two buffers
  static final int TX = 0x20000;
  static final int BUFFER = 0x30000;
  static final int FRAME = 0x40000;

  static void main(String[] args) {
    if (args.length != 1) {
      IO.println("usage: FirstNic SOCKET (of a back end that listens)");
      return;
    }
    IO.println("came back: " + HexFormat.ofDelimiter(" ").formatHex(echo(Path.of(args[0]))));
  }

  static byte[] echo(Path socket) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    VirtioNet nic = VirtioNet.builder("net0").build();
    List<RingEventfds> rings = RingEventfds.create(ledger, "net0", 2);
    VhostDeviceOptions backEnd = VhostDeviceOptions.of("net0", socket, ledger);
    try (GuestMemory ram = GuestMemory.builder(ledger).region("ram", 0, 64 << 20).build();
        VhostNet net = VhostNet.connect(nic, ram, rings, backEnd)) {
      // What the guest's driver writes to the device's registers.
      net.access(() -> {
        nic.setStatus(3); // ACKNOWLEDGE, DRIVER
        nic.setDriverFeatures(NetFeature.VERSION_1.mask());
        nic.setStatus(3 | 8); // FEATURES_OK
        nic.configureQueue(0, 256, RX, RX + 0x1000, RX + 0x2000);
        nic.configureQueue(1, 256, TX, TX + 0x1000, TX + 0x2000);
        nic.setStatus(3 | 8 | 4); // DRIVER_OK: the back end serves the rings now
      });

      // What the guest's driver does: a buffer to receive into, a frame to send, behind 12 bytes.
      post(ram, RX, BUFFER, 2048, 2);
      byte[] frame = new byte[12 + 60];
      Arrays.fill(frame, 12, 18, (byte) 0xbb); // to
      Arrays.fill(frame, 18, 24, (byte) 0xaa); // from
      ram.copyIn(FRAME, frame);
      post(ram, TX, FRAME, frame.length, 0);
      rings.forEach(ring -> ring.kick().signal());

      // An interrupt says that there is something; the used index, how much.
      Deadline soon = Deadline.after(Duration.ofSeconds(5));
      while (ram.getShortAcquire(RX + 0x2002) == 0) {
        if (rings.get(0).call().await(soon) == 0) {
          throw new IllegalStateException("no frame within 5 s");
        }
      }
      byte[] received = new byte[12];
      ram.copyOut(BUFFER + 12, received); // who it is to, who it is from
      return received;
    } finally {
      rings.forEach(RingEventfds::close);
    }
  }

  /** Entry 0 of a split ring: a descriptor, and the available ring's first element. */
  static void post(GuestMemory ram, long ring, long buffer, int length, int flags) {
    ram.putLong(ring, buffer);
    ram.putInt(ring + 8, length);
    ram.putShort(ring + 12, (short) flags); // 2: the device writes
    ram.putShort(ring + 0x1004, (short) 0);
    ram.putShortRelease(ring + 0x1002, (short) 1);
  }
}
// guide: end
