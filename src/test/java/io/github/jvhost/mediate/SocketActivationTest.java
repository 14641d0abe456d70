package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.FreshJvm;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.mediate.keep.KeeperThread;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.process.ChildProcess;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * systemd listens, and starts {@code jvhost mediate} when a front end comes. Skipped without the
 * program of systemd that does that by hand.
 */
@Timeout(120)
class SocketActivationTest {
  private static final String PROGRAM = "systemd-socket-activate";

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private ChildProcess activated(String... more) {
    assumeTrue(ChildProcess.find(PROGRAM).isPresent(), "no " + PROGRAM);
    var command =
        new ArrayList<>(
            List.of(PROGRAM, "--listen=" + directory.resolve("net0"), "--fdname=front-end"));
    var arguments =
        new ArrayList<>(
            List.of("mediate", "--nic=net0=fd:front-end," + directory.resolve("switch")));
    arguments.addAll(List.of(more));
    command.addAll(FreshJvm.command(Jvhost.class, arguments));
    return ChildProcess.leashed(PROGRAM, command, Map.of());
  }

  private void servesAGuest(ChildProcess mediator) throws Exception {
    mediator.transcript().awaitText("Listening on", 0, soon(), "start of " + PROGRAM);
    SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("net0"))).close();
    mediator.transcript().awaitText("mediating net0", 0, soon(), "start of the mediator");
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
    }
  }

  /** Nobody is notified: there is no store, only a socket. */
  @Test
  void aSocketThatWasHandedOverIsTheFrontEnds() throws Exception {
    try (MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger);
        ChildProcess mediator = activated()) {
      servesAGuest(mediator);
      assertThat(theSwitch.record().violations()).isEmpty();
    }
  }

  @Test
  void alsoBesideAKeeper() throws Exception {
    KeeperThread keeper = KeeperThread.start(directory.resolve("keep"));
    try (keeper;
        MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger);
        ChildProcess mediator = activated("--keep=" + directory.resolve("keep"))) {
      servesAGuest(mediator);
      assertThat(theSwitch.record().violations()).isEmpty();
    }
    assertThat(keeper.held()).as("what the mediator had when it was killed").isPositive();
  }
}
