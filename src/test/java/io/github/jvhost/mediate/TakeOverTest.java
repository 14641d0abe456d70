package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.mediate.keep.Keeper;
import io.github.jvhost.mediate.keep.KeeperStore;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A mediator goes on where an earlier one has left off: neither side notices. */
class TakeOverTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final DescriptorLedger ofTheSwitch = DescriptorLedger.tracing();
  private final DescriptorLedger ofTheKeeper = DescriptorLedger.tracing();
  private MockBackEnd theSwitch;
  private Keeper keeper;
  private Thread keeping;
  private volatile boolean over;

  @BeforeEach
  void aKeeper() {
    theSwitch = Mirror.start(directory.resolve("switch"), ofTheSwitch);
    keeper = Keeper.listen(directory.resolve("keeper"), ofTheKeeper);
    keeping =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              while (!over) {
                keeper.serve(Deadline.after(Duration.ofMillis(50)));
              }
            });
  }

  @AfterEach
  void nothingIsLeft() throws InterruptedException {
    over = true;
    keeping.join(Duration.ofSeconds(20));
    assertThat(keeper.held()).as("the last mediator has closed what it served").isZero();
    keeper.close();
    theSwitch.close();
    assertThat(theSwitch.record().violations()).isEmpty();
    assertThat(ofTheKeeper.describeOpen()).isEmpty();
    assertThat(ofTheSwitch.describeOpen()).isEmpty();
  }

  private Mediator start() {
    return Mediator.start(options(), ledger);
  }

  private MediatorOptions options() {
    return MediatorOptions.of(
            List.of(
                NicOptions.of(
                    "net0",
                    new FrontEndAddress.Listen(directory.resolve("net0")),
                    new BackEndAddress.Socket(directory.resolve("switch")),
                    BackEndProfile.GENERIC)))
        .withKeeper(directory.resolve("keeper"));
  }

  @Test
  void aSuccessorThatCannotStartLeavesEverythingToTheNext() {
    Mediator first = start();
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
      first.leave();
      assertThatThrownBy(
              () -> Mediator.start(options().withControl(directory.resolve("no/control")), ledger))
          .isInstanceOf(VhostException.class);
      assertThat(driver.echo(2)).endsWith(2, 2);
      try (Mediator third = start()) {
        assertThat(third.status().getFirst().state()).isEqualTo("RUNNING");
        assertThat(driver.echo(3)).endsWith(3, 3);
        assertThatThrownBy(
                () -> third.standby("net0", new BackEndAddress.Socket(directory.resolve("switch"))))
            .hasMessageContaining("is the one that serves it");
      }
    }
  }

  @Test
  void aStateThatNamesWhatTheStoreDoesNotHaveMakesTheNicBeginAnew() {
    Mediator first = start();
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
      first.leave();
      try (var store =
          KeeperStore.connect(directory.resolve("keeper"), ledger, Duration.ofSeconds(20))) {
        Map<String, OwnedDescriptor> left = store.takeUp();
        left.values().forEach(OwnedDescriptor::close);
        left.keySet().stream().filter(name -> !name.endsWith("state")).forEach(store::remove);
      }
      try (Mediator second = start()) {
        assertThat(second.status().getFirst().state()).isEqualTo("NO_FRONT_END");
      }
    }
  }

  @Test
  void aRunningDeviceIsTakenUpAndServedOn() {
    Mediator first = start();
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
      // The mediator does not wait for the last message of a start.
      Wait.until(() -> Wait.endsWithAStart(theSwitch.record().names()));
      int told = theSwitch.record().mark();
      first.leave();
      assertThat(driver.echo(2)).as("packets need no mediator").endsWith(2, 2);
      try (Mediator second = start()) {
        assertThat(driver.echo(3)).endsWith(3, 3);
        assertThat(second.status().getFirst().state()).isEqualTo("RUNNING");
        assertThat(theSwitch.record().names(told)).as("the switch was told nothing").isEmpty();

        vmm.linkUp(false);
        assertThat(second.status().getFirst().state()).isEqualTo("STOPPED");
        vmm.linkUp(true);
        assertThat(driver.echo(4)).endsWith(4, 4);
        assertThat(theSwitch.record().names(told)).contains("GET_VRING_BASE", "SET_VRING_KICK");
      }
    }
  }
}
