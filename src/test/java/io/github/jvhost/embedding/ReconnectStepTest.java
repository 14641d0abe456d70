package io.github.jvhost.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndWatch;
import io.github.jvhost.vhost.ReconnectPolicy;
import io.github.jvhost.vhost.VhostNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guide's last step: the back end goes, and another one comes. */
class ReconnectStepTest {
  @TempDir private Path directory;

  private static BackEndWatch watch(
      DescriptorLedger ledger, VhostNet net, BackEndWatch.Listener listener) {
    // guide: watch
    BackEndWatch watch = BackEndWatch.start(ledger, listener); // one for all devices
    watch.watch(net, new ReconnectPolicy.BackOff(Duration.ofMillis(50), Duration.ofSeconds(2), 0));
    // guide: end
    return watch;
  }

  /** What happens, one event each. */
  private static final class Seen implements BackEndWatch.Listener {
    final CompletableFuture<String> lost = new CompletableFuture<>();
    final CompletableFuture<Boolean> back = new CompletableFuture<>();

    @Override
    public void lost(VhostNet net, VhostException why) {
      lost.complete(net.name());
    }

    @Override
    public void recovered(VhostNet net, int attempts, boolean running) {
      back.complete(running);
    }
  }

  @Test
  void aGuestLosesItsLinkAndGetsItBack() throws Exception {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    Path socket = directory.resolve("s");
    MockBackEnd first = Mirror.start(socket, ledger);
    var seen = new Seen();
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, socket);
        BackEndWatch watch = watch(vmm.ledger, vmm.net, seen)) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      driver.echo(1);
      first.close();
      assertThat(seen.lost.get(30, TimeUnit.SECONDS)).isEqualTo("net0");
      driver.write(0x30, 0); // accesses do not fail meanwhile
      try (MockBackEnd second = Mirror.start(socket, ledger)) {
        assertThat(seen.back.get(30, TimeUnit.SECONDS)).isTrue();
        assertThat(driver.echo(2)).endsWith(2, 2);
        watch.unwatch(vmm.net);
        vmm.net.close();
        assertThat(second.record().violations()).isEmpty();
      }
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
