package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.virtio.LinkSpeed;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** States that QEMU 11 saved, where its streams lie next to the repository. */
class NewerQemuStreamTest {
  private static final Path DIRECTORY = Path.of("..", "shared", "streams", "qemu11");

  private static VirtioNetState device(String name) throws IOException {
    Path file = DIRECTORY.resolve(name + ".gz");
    assumeTrue(Files.isReadable(file), "no sample stream at " + file);
    byte[] stream;
    try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
      stream = in.readAllBytes();
    }
    for (StreamRecord record : StreamReading.all(stream)) {
      if (record instanceof StreamRecord.Section section
          && section.body() instanceof SectionBody.VirtioNet net) {
        return net.state();
      }
    }
    throw new AssertionError("no virtio-net in " + name);
  }

  @Test
  void aDeviceWhoseDriverNegotiatedSpeedAndDuplexIsRestored() throws IOException {
    VirtioNetState saved = device("mtu-speed");
    long driver = saved.common().features();
    assertThat(NetFeature.SPEED_DUPLEX.in(driver)).isTrue();
    VirtioNetBuilder like =
        VirtioNet.builder("net0")
            .transport(saved.transport().reset())
            .maxQueuePairs(saved.net().maxQueuePairs())
            .linkSpeed(new LinkSpeed(10_000, LinkSpeed.Duplex.FULL))
            .deviceFeatures(driver);
    VirtioNet device = like.build();

    device.restore(saved);

    assertThat(device.live()).isTrue();
    assertThat(NetFeature.SPEED_DUPLEX.in(device.backEndFeatures())).isFalse();
    assertThat(saved.common().config().size()).as("up to duplex").isEqualTo(17);
    assertThat(device.readConfig(12, 6)).containsExactly(0x10, 0x27, 0, 0, 1, 0);
    for (int ring = 0; ring < device.queueCount(); ring++) {
      assertThat(device.queueVector(ring)).isEqualTo(saved.queue(ring).vector());
      assertThat(device.ringSize(ring)).isLessThanOrEqualTo(device.maxRingSize(ring));
    }
  }
}
