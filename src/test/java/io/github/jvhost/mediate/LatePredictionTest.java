package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.mediate.peer.PeerAddress;
import io.github.jvhost.mediate.peer.PeerLink;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.NetFeature;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A prediction comes when the front end has begun to describe its device. */
@Timeout(60)
class LatePredictionTest {
  private static final long RAM = 1 << 30;

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private NicOptions nic(String name) {
    return NicOptions.of(
        name,
        new FrontEndAddress.Listen(directory.resolve(name)),
        new BackEndAddress.Socket(directory.resolve("switch." + name)),
        BackEndProfile.DPDK);
  }

  private MockBackEnd theSwitch(String nic) {
    return MockBackEnd.builder(directory.resolve("switch." + nic), ledger)
        .offer(BackEndOffer.of(Personality.DPDK).withFeatures(FrontEndTraceTest.DPDK_OFFERS))
        .start();
  }

  private static Hint.Content content() {
    return new Hint.Content(
        NetFeature.VERSION_1.mask(),
        null,
        List.of(new Hint.Region(0, RAM, 0, 0, RAM)),
        List.of(new Hint.Ring(0, 256, new RingAddresses(0x1000, 0x3000, 0x2000), true)));
  }

  @Test
  void whatTheFrontEndHasSaidCounts() throws IOException {
    String peer = directory.resolve("peer").toString();
    List<List<TraceLine>> devices = FrontEndTraceTest.sessions("qemu-destination");
    List<TraceLine> first = devices.getFirst();
    int begun = indexOf(first, FrontEndRequest.SET_VRING_NUM);
    try (var _ = theSwitch("net0");
        var _ = theSwitch("net1");
        var link = PeerLink.open(PeerAddress.parse("listen:" + peer), new Silent()).begin();
        var mediator =
            Mediator.start(
                MediatorOptions.of(List.of(nic("net0"), nic("net1"))).withPeer(peer), ledger);
        var net0 = new TracedFrontEnd(directory.resolve("net0"), ledger);
        var net1 = new TracedFrontEnd(directory.resolve("net1"), ledger)) {
      net0.play(first.subList(0, begun));
      net1.play(
          devices.getLast().subList(0, indexOf(devices.getLast(), FrontEndRequest.SET_FEATURES)));

      link.publish(Hint.configuration("net0", 1, content()));
      link.publish(Hint.configuration("net1", 1, content()));
      awaitPreset(mediator, 1); // the hint about net0 has come before
      net0.play(first.subList(begun, first.size()));

      NicStatus status = mediator.status().getFirst();
      assertThat(status.state()).isEqualTo("RUNNING");
      assertThat(status.presetup()).isNull();
      assertThat(status.lastStart())
          .isNotNull()
          .extracting(NicStatus.Start::steps)
          .asString()
          .contains("ring 0 address", "ring 1 address");
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private static int indexOf(List<TraceLine> lines, FrontEndRequest request) {
    return lines.stream().map(TraceLine::request).toList().indexOf(request);
  }

  private static void awaitPreset(Mediator mediator, int nic) {
    Deadline deadline = Deadline.after(Duration.ofSeconds(20));
    while (!mediator.status().get(nic).state().equals("PRESET")) {
      assertThat(deadline.expired()).as("%s", mediator.status()).isFalse();
      LockSupport.parkNanos(500_000);
    }
  }

  private static final class Silent implements PeerLink.Listener {
    @Override
    public void connected() {}

    @Override
    public void received(Hint hint) {}

    @Override
    public void lost(String reason) {}
  }
}
