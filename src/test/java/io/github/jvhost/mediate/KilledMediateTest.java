package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FreshJvm;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.process.ChildProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code jvhost mediate} in a process of its own, which is killed while a guest has traffic. */
@Timeout(240)
class KilledMediateTest {
  private static final int KILLS = 3;
  private static final int FRAMES = 20;

  @TempDir private Path directory;

  private int frames;

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private static ChildProcess java(String name, List<String> arguments) {
    return ChildProcess.leashed(name, FreshJvm.command(Jvhost.class, arguments), Map.of());
  }

  private ChildProcess mediator() {
    ChildProcess started =
        java(
            "mediator",
            List.of(
                "mediate",
                "--nic=net0=" + directory.resolve("net0") + "," + directory.resolve("switch"),
                "--control=" + directory.resolve("control"),
                "--keep=" + directory.resolve("keep")));
    started.transcript().awaitText("mediating net0", 0, soon(), "start of the mediator");
    return started;
  }

  /**
   * Waits until the mediator is done with the last message. One that is killed between its answer
   * and the end of its message gives the answer twice (docs/mediate.md). A NIC that says how it is
   * has ended all that it did before.
   */
  private void awaitRunning(DescriptorLedger ledger) {
    Path control = directory.resolve("control");
    Wait.until(() ->
        ControlClient.ask(control, "status", Duration.ofSeconds(20), ledger).contains("RUNNING"));
  }

  /** Every frame comes back, whoever lives or dies beside the guest and the switch. */
  private void traffic(TinyDriver driver) {
    for (int i = 0; i < FRAMES; i++) {
      frames = (frames + 1) % 100;
      assertThat(driver.echo(frames)).endsWith(frames, frames);
    }
  }

  @Test
  void noFrameIsLostAndTheNextMediatorGoesOn() {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger);
    try (ChildProcess keeper =
            java("keeper", List.of("keep", directory.resolve("keep").toString()));
        theSwitch) {
      keeper.transcript().awaitText("keeping at", 0, soon(), "start of the keeper");
      ChildProcess mediator = mediator();
      try (OwnVm vm = new OwnVm();
          SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
        TinyDriver driver = new TinyDriver(vm, vmm);
        driver.boot();
        for (int i = 0; i < KILLS; i++) {
          traffic(driver);
          Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names()));
          int told = theSwitch.record().mark();
          awaitRunning(ledger);
          mediator.kill();
          traffic(driver);
          mediator = mediator();
          traffic(driver);
          assertThat(theSwitch.record().names(told)).as("the switch notices nothing").isEmpty();
          vmm.linkUp(false);
          vmm.linkUp(true); // the successor stops and starts it
          assertThat(theSwitch.record().names(told)).contains("GET_VRING_BASE");
          Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names(told)));
        }
        traffic(driver);
      } finally {
        mediator.close();
      }
      assertThat(theSwitch.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
