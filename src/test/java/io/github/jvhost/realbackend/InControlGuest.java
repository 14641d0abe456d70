package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.ReceiveMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What {@link KernelVdpaTest} checks of control commands, run in its guest. The devices say what
 * they hold, and which commands they were given.
 */
final class InControlGuest extends InGuest {
  static final GuestChecks<InControlGuest> CHECKS =
      GuestChecks.in(InControlGuest::new)
          .check("what the driver sets reaches the device", InControlGuest::reaches)
          .check("a command that is refused costs no more", InControlGuest::refused)
          .check("a guest brings what it has set, early", InControlGuest::arrivesEarly)
          .check("a guest brings what it has set, in the window", InControlGuest::arrivesLate)
          .check("an address that cannot be told is refused", InControlGuest::fixedAddress);

  // Numbers of ioctls, as the kernel's trace has them.
  private static final String BASE = "4008af12";
  private static final String ADDRESS = "4028af11";
  private static final String ENABLE = "4008af75";
  private static final String RESUME = "af7e";

  private static final Path MODULE = Path.of("/sys/module/vdpa_ctrl_net/parameters");
  private static final NetMachine.Setup SETUP = new NetMachine.Setup(1, 1, 2, false).withCommands();

  private static final List<ControlCommand> COMMANDS =
      List.of(
          new ControlCommand.Receive(ReceiveMode.PROMISCUOUS, false),
          new ControlCommand.Receive(ReceiveMode.ALL_MULTICAST, true),
          new ControlCommand.MacTable(
              List.of(
                  MacAddress.parse("52:54:00:00:01:63"), MacAddress.parse("33:33:00:00:00:01"))),
          new ControlCommand.Vlan(5, true),
          new ControlCommand.Vlan(4095, true),
          new ControlCommand.Vlan(5, false),
          new ControlCommand.Offloads(NetFeature.GUEST_CSUM.mask()));

  private static final Map<String, String> SET =
      Map.of(
          "mac", "52:54:00:00:01:01",
          "pairs", "2",
          "modes", "allmulti",
          "unicast", "52:54:00:00:01:63",
          "multicast", "33:33:00:00:00:01",
          "vlans", "4095",
          "offloads", "0x2");

  /** More than the model's table holds: the guest receives everything then. */
  private static final ControlCommand MANY =
      new ControlCommand.MacTable(
          IntStream.range(0, 66).mapToObj(i -> new MacAddress(0x5254_0000_1000L + i)).toList());

  private InControlGuest(DescriptorLedger ledger) {
    super(ledger);
  }

  /** Runs all of them. */
  public static void main(String[] arguments) {
    CHECKS.run();
  }

  private VhostDeviceOptions at(int device, boolean startsEarly) {
    return at(new BackEndAddress.Vdpa(Path.of("/dev/vhost-vdpa-" + device), startsEarly));
  }

  /** What a device says of itself. */
  private record Told(Map<String, String> state, List<String> commands) {
    static Told by(int device) {
      List<String> lines = lines(Path.of("/proc/vdpa_ctrl_net/ctl" + device));
      int commands = lines.indexOf("commands");
      Map<String, String> state = new TreeMap<>();
      for (String line : lines.subList(0, commands)) {
        int space = line.indexOf(' ');
        state.put(space < 0 ? line : line.substring(0, space), line.substring(space + 1));
      }
      return new Told(state, lines.subList(commands + 1, lines.size()));
    }

    private static List<String> lines(Path path) {
      try {
        return Files.readAllLines(path);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static void module(String parameter, String value) {
    try {
      Files.writeString(MODULE.resolve(parameter), value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private NetMachine machineThatHasSetAll() {
    var machine = new NetMachine(SETUP, at(0, false));
    machine.start();
    machine.awaitAnswers(20);
    COMMANDS.forEach(machine::command);
    return machine;
  }

  private void reaches() {
    try (var machine = machineThatHasSetAll()) {
      assertThat(Told.by(0).state()).containsAllEntriesOf(SET).containsEntry("control", "ring 4");
      machine.awaitAnswers(20);
      machine.stopAndGoOn(2);
      assertThat(Told.by(0).state()).as("after a stop").containsAllEntriesOf(SET);

      machine.setMac(8);
      assertThat(Told.by(0).state()).containsEntry("mac", "52:54:00:00:01:08");
      machine.setMac(1);
      machine.command(new ControlCommand.Receive(ReceiveMode.NO_UNICAST, true));
      assertThat(Told.by(0).state()).containsEntry("modes", "allmulti nouni");
    }
    try (var machine = machineThatHasSetAll()) {
      machine.resetAndReinit();
      machine.awaitAnswers(10);
      assertThat(Told.by(0).state())
          .as("the driver has begun anew")
          .containsEntry("modes", "promisc")
          .containsEntry("vlans", "")
          .containsEntry("multicast", "multicast")
          .containsEntry("pairs", "2");
    }
  }

  private void refused() {
    var vlan = new ControlCommand.Vlan(7, true);
    try (var machine = machineThatHasSetAll()) {
      module("refuse", "2");
      assertThatThrownBy(() -> machine.command(vlan)).hasMessageContaining("the device refused");
      module("refuse", "-1");
      assertThat(Told.by(0).state()).containsAllEntriesOf(SET);
      assertThat(machine.net.running()).isTrue();
      assertThat(machine.net.model().controlState().filters().passesVlan(7)).isFalse();
      module("refuse", "1");
      assertThatThrownBy(() -> machine.command(MANY))
          .as("PROMISCUOUS is told before the table, and taken back")
          .hasMessageContaining("the device refused");
      module("refuse", "-1");
      assertThat(Told.by(0).state()).containsAllEntriesOf(SET);
      int reset = Told.by(0).commands().lastIndexOf("reset");
      machine.awaitAnswers(20);
      machine.command(vlan);
      assertThat(Told.by(0).state()).containsEntry("vlans", "7,4095");
      machine.command(MANY);
      assertThat(Told.by(0).state()).containsEntry("modes", "promisc allmulti");
      module("refuse", "1");
      assertThatThrownBy(() -> machine.command(COMMANDS.get(2)))
          .as("the smaller table, behind which PROMISCUOUS would be off")
          .hasMessageContaining("the device refused");
      module("refuse", "-1");
      assertThat(Told.by(0).state()).containsEntry("modes", "promisc allmulti");
      assertThat(Told.by(0).commands().lastIndexOf("reset"))
          .as("the device went on")
          .isEqualTo(reset);
      machine.drain();
      machine.assertSound();
    } finally {
      module("refuse", "-1");
    }
  }

  private void arrivesEarly() {
    try (var machine = machineThatHasSetAll();
        VhostNet there =
            VhostNet.connect(SETUP.model(), machine.memory, machine.eventfds, at(1, true))) {
      assertThat(KernelWindow.presetTouchesNothing(PresetupMode.EXPLICIT, machine, there))
          .contains("control queue not sent -> ring 4", "command VLAN 4095 received");
      Told early = Told.by(1);
      assertThat(early.state()).containsAllEntriesOf(SET);
      machine.awaitAnswers(20); // it is served at the other still
      KernelWindow window = KernelWindow.open(machine, there);

      assertThat(window.ioctls()).isEqualTo(Map.of(BASE, 4L, ADDRESS, 4L, ENABLE, 4L, RESUME, 1L));
      assertThat(Told.by(1).commands()).as("none in the window").isEqualTo(early.commands());
      KernelWindow.goOn(machine, there);
    }
  }

  private void arrivesLate() {
    try (var machine = machineThatHasSetAll();
        VhostNet there =
            VhostNet.connect(SETUP.model(), machine.memory, machine.eventfds, at(1, false))) {
      KernelWindow.presetTouchesNothing(PresetupMode.IMPLICIT, machine, there);
      List<String> before = Told.by(1).commands();
      KernelWindow.open(machine, there);

      Told told = Told.by(1);
      assertThat(told.state()).containsAllEntriesOf(SET);
      assertThat(told.commands().subList(before.size(), told.commands().size()))
          .as("before a ring of the guest is enabled")
          .isNotEmpty()
          .allMatch(command -> command.endsWith("-> 0 enabled 0x10"));
      KernelWindow.goOn(machine, there);
    }
  }

  /** Of a device without CTRL_MAC_ADDR. */
  private void fixedAddress() {
    module("without", "0x800000");
    run(
        "vdpa",
        "dev",
        "add",
        "name",
        "ctl2",
        "mgmtdev",
        "vdpa_ctrl_net",
        "mac",
        "52:54:00:00:01:05");
    module("without", "0");
    assertThatThrownBy(() -> connect(SETUP.model(), at(2, false)))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageContaining(
            "the device has the address 52:54:00:00:01:01, the back end has 52:54:00:00:01:05 and"
                + " cannot be told another");
    var setup = new NetMachine.Setup(5, 5, 2, false).withCommands();
    try (var machine = new NetMachine(setup, at(2, false))) {
      assertThat(NetFeature.CTRL_MAC_ADDR.in(machine.net.model().deviceFeatures())).isFalse();
      VirtioNetState saved = machine.net.snapshot();
      MacAddress other = NetMachine.Setup.macOf(6);
      assertThatThrownBy(() -> machine.net.restore(saved.withNet(saved.net().withMac(other))))
          .hasMessageContaining("the saved state has the address " + other);
      machine.start();
      machine.command(COMMANDS.getFirst());
      machine.awaitAnswers(20);
      machine.drain();
      machine.assertSound();
    }
  }
}
