package io.github.jvhost.mediate;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.Wrong;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest that is started again most often has what it had before. */
class InstantStartTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private Mediator start() {
    return start(
        NicOptions.of(
            "net0",
            new FrontEndAddress.Listen(directory.resolve("net0")),
            new BackEndAddress.Socket(directory.resolve("switch")),
            BackEndProfile.GENERIC));
  }

  private Mediator start(NicOptions nic) {
    return Mediator.start(MediatorOptions.of(List.of(nic)).withRemember(directory), ledger);
  }

  private NicStatus.Start boot(Mediator mediator, boolean remembered) {
    try (OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      if (remembered) {
        Wait.until(() -> mediator.status().getFirst().state().equals("PRESET"));
      }
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      assertThat(driver.echo(1)).endsWith(1, 1);
      Wait.until(() -> Files.exists(directory.resolve("net0.json")));
      NicStatus status = mediator.status().getFirst();
      assertThat(status.presetup() != null).isEqualTo(remembered);
      return requireNonNull(status.lastStart());
    }
  }

  @Test
  void theSecondStartTellsOnlyTheDifferenceAlsoWithAnotherMediator() {
    try (MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger)) {
      NicStatus.Start first;
      NicStatus.Start second;
      NicStatus.Start third;
      try (Mediator mediator = start()) {
        first = boot(mediator, false);
        second = boot(mediator, true);
      }
      try (Mediator mediator = start()) {
        third = boot(mediator, true);
      }
      assertThat(first.steps()).anyMatch(step -> step.startsWith("memory table"));
      assertThat(second.steps()).noneMatch(step -> step.startsWith("memory table"));
      assertThat(second.messages()).isLessThan(first.messages());
      assertThat(third.steps()).isEqualTo(second.steps());
      assertThat(theSwitch.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aStartWaitsForAPresetupThatHangsAsLongAsThatMayTake() {
    try (MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger)) {
      try (Mediator mediator = start()) {
        boot(mediator, false);
      }
      theSwitch.arm(Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Wrong.NeverRead()));
      NicOptions impatient =
          new NicOptions(
              "net0",
              new FrontEndAddress.Listen(directory.resolve("net0")),
              new BackEndAddress.Socket(directory.resolve("switch")),
              Dialect.UPSTREAM,
              BackEndProfile.GENERIC,
              new GuestRamPlace.FrontEnd(),
              Duration.ofSeconds(20),
              Duration.ofSeconds(3));
      try (Mediator mediator = start(impatient);
          OwnVm vm = new OwnVm();
          SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
        Wait.until(() -> mediator.status().getFirst().state().equals("PRESETTING"));
        TinyDriver driver = new TinyDriver(vm, vmm);
        driver.boot();
        assertThat(driver.echo(1)).endsWith(1, 1);
      }
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** What is written there finds no room. */
  @Test
  void aFullDiskHarmsNoGuestAndTheNextStartIsKept() throws Exception {
    Path whole = directory.resolve("net0.json.new");
    Path file = directory.resolve("net0.json");
    try (MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger)) {
      try (Mediator _ = start();
          OwnVm vm = new OwnVm();
          SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
        TinyDriver driver = new TinyDriver(vm, vmm);
        Files.createSymbolicLink(whole, Path.of("/dev/full"));
        driver.boot();
        assertThat(driver.echo(1)).endsWith(1, 1);
        Wait.until(() -> !Files.exists(whole, LinkOption.NOFOLLOW_LINKS));
        assertThat(driver.echo(2)).endsWith(2, 2);
        assertThat(file).as("nothing that is not whole").doesNotExist();

        vmm.linkUp(false);
        vmm.linkUp(true);
        Wait.until(() -> Files.exists(file));
        assertThat(driver.echo(3)).endsWith(3, 3);
      }
      assertThat(theSwitch.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void aFileThatIsCutAnywhereIsNotUsed() throws Exception {
    byte[] file;
    try (MockBackEnd _ = Mirror.start(directory.resolve("switch"), ledger);
        Mediator mediator = start()) {
      boot(mediator, false);
      file = Files.readAllBytes(directory.resolve("net0.json"));
    }
    for (int length = 0; length < file.length - 1; length++) { // the last byte is the line's end
      Files.write(directory.resolve("net0.json"), Arrays.copyOf(file, length));
      var remembered = new RememberedStarts(directory);
      remembered.load("net0");
      assertThat(remembered.of("net0")).as("%d bytes", length).isEmpty();
      remembered.close();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
