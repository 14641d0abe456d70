package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

/** The baseline tells a back end what a real QEMU tells it, in the same order. */
@Timeout(120)
@ResourceLock("real back ends")
class QemuBaselineTest {
  @TempDir private Path directory;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeft() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private MockBackEnd backEnd(String name) {
    return MockBackEnd.builder(directory.resolve(name), ledger)
        .offer(BackEndOffer.of(Personality.GENERIC).withQueuePairs(QemuBench.PAIRS))
        .start();
  }

  @Test
  void eachStartOfARealQemuHasTheOrderOfTheBaseline() throws InterruptedException {
    Optional<String> reason = QemuSystem.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    List<String> ours = startedByUs();
    assertThat(ours).hasSizeGreaterThan(7 * 2 * QemuBench.PAIRS);

    try (MockBackEnd backEnd = backEnd("qemu");
        QemuSystem qemu = QemuArrival.start(backEnd, directory)) {
      for (int i = 0; i < 2; i++) {
        backEnd.record().forget();
        qemu.run(QemuBench.deadline());
        assertThat(backEnd.record().await(QemuBench::isLive, QemuBench.deadline())).isTrue();
        assertThat(told(backEnd)).as("start %d", i).isEqualTo(ours);
        qemu.pause(QemuBench.deadline());
      }
    }
  }

  private List<String> startedByUs() throws InterruptedException {
    var shape = new StillMachine.Shape(1, QemuBench.PAIRS, 16 << 20);
    try (MockBackEnd backEnd = backEnd("ours");
        var machine = new StillMachine(shape, ledger)) {
      List<VhostNet> nets =
          machine.connect(List.of(backEnd.socket()), Dialect.UPSTREAM, BackEndProfile.GENERIC);
      try {
        VirtioNetState live = machine.live(nets.getFirst(), 0);
        nets.getFirst().restore(live);
        backEnd.record().forget();
        new StartWindow(nets, QemuOrder.QEMU).start();
        assertThat(backEnd.record().await(QemuBench::isLive, QemuBench.deadline())).isTrue();
        return told(backEnd);
      } finally {
        nets.forEach(VhostNet::close);
      }
    }
  }

  /**
   * Up to the message that makes the device live. This guest has not acknowledged an MTU there, and
   * has one here; a RARP comes when it comes.
   */
  private static List<String> told(MockBackEnd backEnd) {
    List<RecordedMessage> messages = backEnd.record().messages();
    int live = 0;
    while (!QemuBench.makesLive(messages.get(live))) {
      live++;
    }
    return messages.subList(0, live + 1).stream()
        .filter(m ->
            m.request() != FrontEndRequest.NET_SET_MTU && m.request() != FrontEndRequest.SEND_RARP)
        .map(RecordedMessage::name)
        .toList();
  }
}
