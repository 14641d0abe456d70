package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.VirtioNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The README's example is this one, and it works. */
class EmbeddingExampleTest {
  // @start region="junit"
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

  @Test
  void worksAgainstABackEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    embed(backEnd.socket(), ledger);

    assertThat(backEnd.record().names())
        .containsSubsequence("SET_VRING_KICK", "SET_STATUS", "SEND_RARP", "GET_VRING_BASE");
    assertThat(backEnd.record().count(FrontEndRequest.GET_VRING_BASE)).isEqualTo(2);
  }

  // @end

  private static void embed(Path socket, DescriptorLedger ledger) {
    // README: begin
    // ledger: DescriptorLedger.counting(); socket: the Path at which the back end listens
    VirtioNet nic = VirtioNet.builder("net0").mac(MacAddress.parse("52:54:00:12:34:56")).build();
    List<RingEventfds> rings = RingEventfds.create(ledger, "net0", 2 * nic.maxQueuePairs());
    VhostDeviceOptions backEnd = VhostDeviceOptions.of("net0", socket, ledger);
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 64L << 20).build();
        VhostNet net = VhostNet.connect(nic, memory, rings, backEnd)) {
      int ready = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;
      net.access(() -> { // what the guest's driver writes to the device's registers
        nic.setStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
        nic.setDriverFeatures(nic.deviceFeatures());
        nic.setStatus(ready);
        nic.configureQueue(0, 256, 0x10000, 0x11000, 0x12000); // RX: desc, avail, used
        nic.configureQueue(1, 256, 0x20000, 0x21000, 0x22000); // TX
        nic.setStatus(ready | DeviceStatus.DRIVER_OK); // the back end serves the rings now
      });
      net.announce(); // ... and a MigrationSource takes it elsewhere
      net.stop(); // where the rings stopped is in the model: nic.queue(0).next()
    } finally {
      rings.forEach(RingEventfds::close);
    }
    // README: end
  }

  @Test
  void isWhatTheReadmeShows() throws IOException {
    String source =
        Files.readString(Path.of("src/test/java/io/github/jvhost/EmbeddingExampleTest.java"));
    String begin = "// README: begin\n";
    int from = source.indexOf(begin) + begin.length();
    String example = source.substring(from, source.indexOf("    // README: end"));

    assertThat(Files.readString(Path.of("README.md")))
        .contains("```java\n" + example.indent(-4) + "```");
  }
}
