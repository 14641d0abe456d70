package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.SwitchPort;
import java.nio.file.Path;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * Test aid: a network with two ports, one for a mock back end's NIC and one for a peer. The frames
 * that the peer gets are kept.
 */
abstract class MockNetworkRig {
  @TempDir Path dir;

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final LinkedBlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
  SwitchPort peer;
  SwitchPort plug;

  @BeforeEach
  void plugIn() {
    var network = new LearningSwitch();
    peer = network.attach("peer");
    plug = network.attach("nic");
    peer.onFrame(() -> {
      byte[] frame = peer.poll();
      if (frame != null) {
        arrived.add(frame);
      }
    });
  }

  @AfterEach
  void nothingIsLeftOpen() {
    peer.close();
    plug.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  MockBackEnd start(BackEndOffer offer) {
    return MockBackEnd.builder(dir.resolve("nic"), ledger).offer(offer).port(plug).start();
  }

  /** The next frame that the peer gets. */
  byte[] next() throws InterruptedException {
    byte[] frame = arrived.poll(10, TimeUnit.SECONDS);
    assertThat(frame).as("a frame within 10 s").isNotNull();
    return frame;
  }
}
