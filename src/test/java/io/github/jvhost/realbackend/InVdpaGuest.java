package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.cli.CommandLines;
import io.github.jvhost.memory.DirtyLog;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.migration.SourceReport;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.VhostDevice;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.InstanceOfAssertFactories;

/** What {@link KernelVdpaTest} checks, run in its guest. The machine pings itself. */
final class InVdpaGuest extends InGuest {
  static final GuestChecks<InVdpaGuest> CHECKS =
      GuestChecks.in(InVdpaGuest::new)
          .check("frames come back, rings go on where they stopped", InVdpaGuest::traffic)
          .check("memory comes and goes while the device runs", InVdpaGuest::memory)
          .check("a window tells bases, enables and DRIVER_OK", InVdpaGuest::window)
          .check("a presetup that is late costs no start", InVdpaGuest::latePresetup)
          .check("the device is told another address, and started early", InVdpaGuest::control)
          .check("a guest leaves while it stands still, and not before", InVdpaGuest::leaving)
          .check("what cannot be is refused, and says why", InVdpaGuest::refusals)
          .check("what may not be locked is not pinned", InVdpaGuest::lockedMemory)
          .check(
              "memory that may not be locked costs no network",
              InVdpaGuest::hotAddThatMayNotBeLocked)
          .check("without descriptors nothing is left open", InVdpaGuest::shortage)
          .check("probe says what the device is", InVdpaGuest::probe)
          .check("a device that does not answer is left behind", InVdpaGuest::silence);

  // Numbers of ioctls, as the kernel's trace has them.
  private static final String BASE = "4008af12";
  private static final String ADDRESS = "4028af11";
  private static final String ENABLE = "4008af75";
  private static final String SET_STATUS = "4001af72";
  private static final String GET_STATUS = "8001af71";
  private static final String RESUME = "af7e";

  private static final NetMachine.Setup SETUP = new NetMachine.Setup(1, 1, 1, false);

  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private InVdpaGuest(DescriptorLedger ledger) {
    super(ledger);
  }

  /** Runs all of them. */
  public static void main(String[] arguments) {
    CHECKS.run();
  }

  private VhostDeviceOptions at(String node) {
    return at(new BackEndAddress.Vdpa(Path.of(node)));
  }

  private NetMachine machine() {
    return new NetMachine(SETUP, at("/dev/vhost-vdpa-0"));
  }

  private void traffic() {
    try (var machine = machine()) {
      assertThat(machine.net.capabilities().profile()).isEqualTo(BackEndProfile.VHOST_VDPA);
      machine.start();
      machine.awaitAnswers(20);
      machine.stopAndGoOn(3);
      machine.resetAndReinit();
      machine.awaitAnswers(10);
      machine.net.reconnect().orThrow();
      machine.awaitAnswers(10);
      machine.drain();
      machine.assertSound();
    }
  }

  private void memory() {
    try (var machine = machine()) {
      machine.start();
      machine.awaitAnswers(10);
      machine.memory.addRegion("more", 1L << 30, 4 << 20);
      assertThat(machine.net.refresh().describe().lines())
          .singleElement(InstanceOfAssertFactories.STRING)
          .contains("memory region more");
      machine.awaitAnswers(10);
      try (var _ = machine.memory.retireRegion("more")) {
        machine.net.refresh();
      }
      machine.awaitAnswers(10);
      machine.drain();
      machine.assertSound();
    }
  }

  /** From one device to another, with the guest in the same memory. */
  private void window() {
    try (var machine = machine();
        VhostNet there =
            VhostNet.connect(
                SETUP.model(), machine.memory, machine.eventfds, at("/dev/vhost-vdpa-1"))) {
      machine.start();
      machine.awaitAnswers(20);
      KernelWindow.presetTouchesNothing(PresetupMode.IMPLICIT, machine, there);
      machine.awaitAnswers(20); // it is served here still
      KernelWindow window = KernelWindow.open(machine, there);

      assertThat(window.ioctls())
          .as("bases, enables, the status, and the status again")
          .isEqualTo(Map.of(BASE, 2L, ENABLE, 2L, SET_STATUS, 1L, GET_STATUS, 1L));
      assertThat(window.started().messages()).isEqualTo(6);
      assertThat(window.started().plan().describe().lines())
          .hasSize(5)
          .allMatch(step ->
              step.contains(" base ") || step.contains(" served ") || step.startsWith("status"));
      KernelWindow.goOn(machine, there);
    }
  }

  /**
   * The thread that maps memory is left behind, and has the device open. The start opens it again.
   */
  private void latePresetup() {
    VhostDeviceOptions late =
        at("/dev/vhost-vdpa-1").withBounds(PATIENCE, Duration.ofNanos(1), PATIENCE);
    try (var machine = NetMachine.withMemory(SETUP, at("/dev/vhost-vdpa-0"), 64L << 20);
        VhostNet there = VhostNet.connect(SETUP.model(), machine.memory, machine.eventfds, late)) {
      machine.start();
      machine.awaitAnswers(20);
      var early = List.of(new EarlyState(there, machine.net.snapshot(), 1));
      assertThat(VhostNetGroup.presetup(PresetupMode.IMPLICIT, early, () -> false))
          .noneMatch(PresetupResult::done);
      KernelWindow.open(machine, there);
      KernelWindow.goOn(machine, there);
    }
  }

  private void leaving() {
    MigrationOptions live = MigrationOptions.defaults().patience(PATIENCE, PATIENCE);
    try (var machine = machine()) {
      machine.start();
      machine.awaitAnswers(20);
      try (var there = NetMachine.forArrival(SETUP, at("/dev/vhost-vdpa-1"))) {
        assertThatThrownBy(() -> Move.run(machine, there, PresetupMode.IMPLICIT, live, ledger))
            .isInstanceOf(MigrationException.class)
            .hasMessageContaining("its guest leaves only while it is stopped")
            .hasMessageContaining("MigrationOptions.copyingStopped");
      }
      machine.awaitAnswers(20);
      try (var there = NetMachine.forArrival(SETUP, at("/dev/vhost-vdpa-1"))) {
        SourceReport report =
            Move.run(machine, there, PresetupMode.IMPLICIT, live.copyingStopped(), ledger);

        assertThat(report.roundPages()).as("all, at the end").containsExactly(report.totalPages());
        there.awaitAnswers(20);
        there.drain();
        there.assertSound();
        there.net.stop().orThrow();
      }
    }
  }

  /** The devices have another address than the guest, and loop nothing back before they know it. */
  private void control() {
    var setup = new NetMachine.Setup(7, 7, 1, false);
    var early = new BackEndAddress.Vdpa(Path.of("/dev/vhost-vdpa-1"), true);
    try (var machine = new NetMachine(setup, at("/dev/vhost-vdpa-0"));
        VhostNet there =
            VhostNet.connect(
                setup.model(),
                machine.memory,
                machine.eventfds,
                at("/dev/vhost-vdpa-1").at(early))) {
      machine.start();
      machine.awaitAnswers(20);
      machine.resetAndReinit();
      machine.awaitAnswers(10);
      machine.setMac(8);
      assertThat(machine.net.backEndConfig(0, MacAddress.SIZE))
          .isEqualTo(MacAddress.parse("52:54:00:00:01:08").bytes());
      machine.setMac(7);
      machine.awaitAnswers(10);

      assertThat(KernelWindow.presetTouchesNothing(PresetupMode.EXPLICIT, machine, there))
          .contains("ring 1 stand-in", "status 0x8 -> 0xf", "suspended not sent -> true");
      machine.awaitAnswers(20); // it is served here still
      KernelWindow window = KernelWindow.open(machine, there);

      assertThat(window.ioctls()).isEqualTo(Map.of(BASE, 2L, ADDRESS, 2L, ENABLE, 2L, RESUME, 1L));
      assertThat(window.started().messages()).isEqualTo(7);
      machine.resume();
      machine.awaitAnswers(10);
      long standIn = (1L << 47) - (1L << 20);
      machine.memory.addRegion("over a stand-in", standIn, 4096);
      assertThatThrownBy(there::refresh)
          .hasMessageContaining("refused at offset 0x0; either another mapping overlaps it");
      assertThat(there.running()).isTrue();
      machine.memory.retireRegion("over a stand-in").close();
      there.refresh();
      machine.pause();
      KernelWindow.goOn(machine, there);
    }
  }

  private void refusals() {
    try (var machine = machine()) {
      assertThatThrownBy(() -> VhostDevice.connect(at("/dev/vhost-vdpa-0")))
          .hasMessageContaining("it is open already, in another process or in this one")
          .isInstanceOfSatisfying(
              VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.RETRY));
      assertThat(NetFeature.CTRL_RX.in(machine.net.model().deviceFeatures())).isFalse();
      machine.start();
      machine.awaitAnswers(10);
      try (DirtyLog log = DirtyLog.create(ledger, machine.memory.table())) {
        assertThatThrownBy(() -> machine.net.migration().logTo(log))
            .hasMessageContaining("cannot log the pages that it writes");
      }
      machine.awaitAnswers(10);
    }
    VirtioNet large = VirtioNet.builder("net").queueSize(512).build();
    assertThatThrownBy(() -> connect(large, at("/dev/vhost-vdpa-0")))
        .hasMessageContaining("ring 0 has up to 512 entries, the back end takes 256 at most")
        .hasMessageContaining("VirtioNetBuilder.queueSize");
    VirtioNet jumbo = VirtioNet.builder("net").mtu(9000).build();
    assertThatThrownBy(() -> connect(jumbo, at("/dev/vhost-vdpa-0")))
        .hasMessageContaining("shows its driver an MTU of 9000, the back end has 1500");
    Map.of(
            "/dev/vhost-vdpa-9", "there is no such device",
            "/dev/vhost-net", "it is no vDPA device",
            "/dev/net/tun", "it is no vDPA device")
        .forEach((path, why) ->
            assertThatThrownBy(() -> VhostDevice.connect(at(path))).hasMessageContaining(why));
  }

  /** The limit holds for root too. */
  private void lockedMemory() {
    limit("--memlock=%d:unlimited".formatted(20L << 20));
    try (var machine = machine()) {
      machine.start();
      Await.until(
          () -> "the start is refused", () -> !machine.net.connected() || machine.net.running());
      assertThat(machine.net.running()).isFalse();
      assertThatThrownBy(() -> machine.net.reconnect().orThrow())
          .hasMessageContaining("this process may lock 20971520 bytes and has locked 4096")
          .hasMessageContaining("raise RLIMIT_MEMLOCK");
    } finally {
      limit("--memlock=%d:unlimited".formatted(1L << 30));
    }
  }

  /** As on vhost-net with more regions than it takes: the guest keeps its network. */
  private void hotAddThatMayNotBeLocked() {
    try (var machine = machine()) {
      machine.start();
      machine.awaitAnswers(10);
      limit("--memlock=%d:unlimited".formatted(40L << 20));
      machine.memory.addRegion("more", 1L << 30, 64 << 20);
      assertThatThrownBy(() -> machine.net.refresh())
          .hasMessageContaining("/dev/vhost-vdpa-0 cannot be told more memory")
          .hasMessageContaining("the device needs 67108864 more: raise RLIMIT_MEMLOCK");
      assertThat(machine.net.running()).isTrue();
      machine.awaitAnswers(10);
      machine.memory.retireRegion("more").close();
      machine.net.refresh();
      machine.awaitAnswers(10);
      machine.drain();
      machine.assertSound();
    } finally {
      limit("--memlock=%d:unlimited".formatted(1L << 30));
    }
  }

  private void shortage() {
    runsOutOfDescriptors(at("/dev/vhost-vdpa-0"));
  }

  /** Its thread waits in the kernel, and this one does not. */
  private void silence() {
    try (var device = new SilentVdpaDevice(ledger)) {
      run("vdpa", "dev", "add", "name", SilentVdpaDevice.NAME, "mgmtdev", "vduse");
      int open = ledger.openCount();
      VhostDeviceOptions options =
          at("/dev/vhost-vdpa-2").withBounds(Duration.ofMillis(100), PATIENCE, PATIENCE);
      assertThatThrownBy(() -> VhostDevice.connect(options))
          .isInstanceOf(DeadlineException.class)
          .hasMessageContaining("open /dev/vhost-vdpa-2: not done within")
          .hasMessageContaining("its thread is left behind");
      assertThat(ledger.openCount()).as("what the thread has").isGreaterThan(open);

      device.fail();
      Await.until(() -> "the thread has ended", () -> ledger.openCount() == open);
    }
  }

  private void probe() {
    assertThat(CommandLines.printed("probe", "/dev/vhost-vdpa-0"))
        .contains(
            "a vDPA device for networks", "IOTLB_PERSIST", "up to 256 entries each, 3 of them")
        .contains("address spaces     2; its control queue can have one of its own")
        .contains("early: size, address, kick, call of each ring, memory, features")
        .contains(
            "in the stop window: of each ring base and enable; DRIVER_OK; what the guest has set by"
                + " commands")
        .contains("made with          the address 52:54:00:00:01:01, MTU 1500")
        .contains("it is started on empty rings, given the guest's commands and suspended")
        .contains("in the stop window: of each ring base, address and enable; RESUME");
  }
}
