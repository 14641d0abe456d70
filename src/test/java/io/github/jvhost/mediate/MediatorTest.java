package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A front end and a back end that know nothing of the mediator between them. */
class MediatorTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final DescriptorLedger ofTheSwitch = DescriptorLedger.tracing();
  private MockBackEnd theSwitch;
  private Mediator mediator;

  @BeforeEach
  void mediated() {
    theSwitch = Mirror.start(directory.resolve("switch"), ofTheSwitch);
    mediator =
        Mediator.start(
            MediatorOptions.of(
                List.of(
                    NicOptions.of(
                        "net0",
                        new FrontEndAddress.Listen(directory.resolve("net0")),
                        new BackEndAddress.Socket(directory.resolve("switch")),
                        BackEndProfile.GENERIC))),
            ledger);
  }

  @AfterEach
  void nothingIsLeft() {
    mediator.close();
    theSwitch.close();
    assertThat(theSwitch.record().violations()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(ofTheSwitch.describeOpen()).isEmpty();
  }

  @Test
  void framesOfAGuestGoToTheSwitchAndComeBack() {
    aGuestHasTraffic();
  }

  private void aGuestHasTraffic() {
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
      assertThat(driver.echo(2)).endsWith(2, 2);
      NicStatus status = mediator.status().getFirst();
      assertThat(status.state()).isEqualTo("RUNNING");
      // A front end that goes makes the mediator connect anew, so it is looked at while it is
      // there.
      assertThat(theSwitch.record().connections()).as("it was not disturbed").isOne();
    }
  }

  @Test
  void aSecondMediatorIsRefusedAndTouchesNothing() {
    Wait.until(() -> theSwitch.record().connections() == 1);
    try (MockBackEnd another = Mirror.start(directory.resolve("another"), ofTheSwitch)) {
      List<NicOptions> both =
          List.of(
              NicOptions.of(
                  "net1",
                  new FrontEndAddress.Listen(directory.resolve("net1")),
                  new BackEndAddress.Socket(directory.resolve("another")),
                  BackEndProfile.GENERIC),
              NicOptions.of(
                  "net0",
                  new FrontEndAddress.Listen(directory.resolve("net0")),
                  new BackEndAddress.Socket(directory.resolve("switch")),
                  BackEndProfile.GENERIC));

      assertThatThrownBy(() -> Mediator.start(MediatorOptions.of(both), ledger))
          .hasMessageContaining("somebody listens there already");

      assertThat(another.record().connections()).isZero();
      aGuestHasTraffic(); // the first was not disturbed
    }
  }

  @Test
  void whereAnySocketIsTakenNoSwitchIsConnected() {
    Path taken = directory.resolve("net0"); // the first mediator listens there
    try (MockBackEnd another = Mirror.start(directory.resolve("another"), ofTheSwitch)) {
      MediatorOptions alone =
          MediatorOptions.of(
              List.of(
                  NicOptions.of(
                      "net1",
                      new FrontEndAddress.Listen(directory.resolve("net1")),
                      new BackEndAddress.Socket(directory.resolve("another")),
                      BackEndProfile.GENERIC)));
      var passed = new PassedDevice("blk0", taken, directory.resolve("switch"));

      for (MediatorOptions options :
          List.of(
              alone.withControl(taken),
              alone.withPeer("listen:" + taken),
              alone.withPassed(List.of(passed)))) {
        assertThatThrownBy(() -> Mediator.start(options, ledger))
            .isInstanceOf(VhostException.class);
      }

      assertThat(another.record().connections()).isZero();
    }
  }

  @Test
  void aFrontEndThatStopsOneRingAndStartsItAgainGoesOn() {
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      for (int i = 0; i < 6; i++) {
        assertThat(driver.echo(i)).endsWith(i, i);
        vm.rebind(i % 2);
        vmm.rebind(vm, i % 2);
      }
      assertThat(driver.echo(6)).endsWith(6, 6);
      assertThat(mediator.status().getFirst().state()).isEqualTo("RUNNING");
    }
  }
}
