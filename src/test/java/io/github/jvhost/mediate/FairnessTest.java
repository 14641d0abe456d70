package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A NIC whose switch hangs holds up no other NIC. */
class FairnessTest {
  @TempDir private Path directory;

  private NicOptions nic(String name) {
    return NicOptions.of(
        name,
        new FrontEndAddress.Listen(directory.resolve(name)),
        new BackEndAddress.Socket(directory.resolve(name + "-switch")),
        BackEndProfile.GENERIC);
  }

  @Test
  void theOtherNicGoesOnWhileASwitchDoesNotAnswer() {
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (MockBackEnd hangs = Mirror.start(directory.resolve("net0-switch"), ledger);
        MockBackEnd works = Mirror.start(directory.resolve("net1-switch"), ledger);
        Mediator mediator =
            Mediator.start(MediatorOptions.of(List.of(nic("net0"), nic("net1"))), ledger);
        OwnVm vm0 = new OwnVm();
        OwnVm vm1 = new OwnVm();
        SmallVmm vmm0 = new SmallVmm(vm0, directory.resolve("net0"));
        SmallVmm vmm1 = new SmallVmm(vm1, directory.resolve("net1"))) {
      hangs.arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Wrong.NeverRead()));
      CompletableFuture<Void> first =
          CompletableFuture.runAsync(() -> new TinyDriver(vm0, vmm0).boot());
      Wait.until(() -> hangs.record().count(FrontEndRequest.SET_FEATURES) > 0);

      TinyDriver second = new TinyDriver(vm1, vmm1);
      second.boot();
      for (int i = 0; i < 10; i++) {
        assertThat(second.echo(i)).endsWith(i, i);
      }

      assertThat(hangs.record().count(FrontEndRequest.SET_VRING_KICK)).isZero();
      assertThat(works.record().violations()).isEmpty();
      hangs.arm(Faults.none());
      hangs.hangUp();
      first.join();
      assertThat(mediator.status()).extracting(NicStatus::name).containsExactly("net0", "net1");
    }
  }
}
