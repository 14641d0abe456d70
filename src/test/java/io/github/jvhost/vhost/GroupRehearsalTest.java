package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.ClassLog;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.testkit.scenario.QemuOrder;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Starting and stopping devices ahead of time, on others that stand for them. */
class GroupRehearsalTest {
  private static final Duration ENOUGH = Duration.ofSeconds(20);

  @TempDir private Path dir;

  private Rig rig(Personality personality, int devices) {
    return new Rig(dir, devices, BackEndOffer.of(personality), BackEndProfile.GENERIC);
  }

  @ParameterizedTest
  @EnumSource
  void devicesWithoutADriverAreRehearsedAndToldNothing(Personality personality) {
    try (Rig rig = rig(personality, 2)) {
      int told = rig.backEnd().record().names(0).size();
      long changes = rig.net().model().changes();

      assertThat(VhostNetGroup.rehearse(rig.nets, ENOUGH)).isPositive();

      assertThat(rig.backEnd().record().names(0)).hasSize(told);
      assertThat(rig.net().model().changes()).isEqualTo(changes);
      assertThat(rig.net().shadow()).isEqualTo(Shadow.nothingHeld());
      rig.driveAll();
      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(StartResult::running);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void devicesThatRunGoOnMeanwhile() {
    try (Rig rig = rig(Personality.DPDK, 1)) {
      rig.driveAll();
      rig.ringsAreAtSomeIndex();
      rig.net().start();
      Shadow held = rig.net().shadow();

      assertThat(VhostNetGroup.rehearse(rig.nets, ENOUGH)).isPositive();

      assertThat(rig.net().running()).isTrue();
      assertThat(rig.net().shadow()).isEqualTo(held);
      assertThat(VhostNetGroup.stop(rig.nets, StartOrder.PLANNED)).allMatch(Outcome::complete);
      assertThat(rig.net().model().queue(1).next().toVhostBase()).isEqualTo(11);
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aCallerStopsTheCopiesInItsOwnWay() {
    try (Rig rig = rig(Personality.DPDK, 2)) {
      rig.driveAll();
      List<VhostNet> stopped = new ArrayList<>();

      int rounds =
          VhostNetGroup.rehearse(
              rig.nets,
              3,
              ENOUGH,
              copies -> {
                assertThat(copies).hasSize(2).allMatch(VhostNet::running);
                VhostNetGroup.stop(copies, StartOrder.PLANNED);
                stopped.addAll(copies);
              });

      assertThat(rounds).isEqualTo(3);
      assertThat(stopped).hasSize(6).doesNotContainAnyElementsOf(rig.nets);
      assertThat(rig.nets).noneMatch(VhostNet::running);
    }
  }

  /** Its peer stops where it began. The guest has got on since, so guest memory rules that out. */
  @Test
  void aRehearsalRefusesNoAnswer() {
    try (Rig rig = rig(Personality.GENERIC, 1)) {
      rig.driveAll();
      VirtioNetState early = rig.net().snapshot();
      rig.ringsAreAtSomeIndex();
      Deadline within = Deadline.after(ENOUGH);
      try (RehearsalDevice device = rig.net().migration().rehearsal(within)) {
        List<VhostNet> twin = List.of(device.net());
        device.rewind(false);
        device.net().restore(early);
        assertThat(VhostNetGroup.start(twin, StartOrder.PLANNED)).allMatch(StartResult::running);

        assertThat(VhostNetGroup.stop(twin, StartOrder.PLANNED)).allMatch(Outcome::complete);

        assertThat(device.net().model().queue(1).next().toVhostBase()).isZero();
      }
    }
  }

  /** A device at the kernel is rehearsed on the kernel's carrier. No device file is opened. */
  @ParameterizedTest
  @MethodSource("kernels")
  void whatTheKernelIsCalledForIsRehearsedToo(BackEndCapabilities kernel, PresetupMode mode) {
    try (Rig rig = rig(Personality.GENERIC, 1)) {
      rig.net().model().withholdFeatures(kernel.uncontrolled());
      rig.driveAll();
      VirtioNetState early = rig.net().snapshot();
      rig.ringsAreAtSomeIndex();
      VirtioNet twin = rig.net().model().twin();
      var options = rig.options(0, ENOUGH).at(new BackEndAddress.Vdpa(Path.of("/dev/none")));
      Deadline within = Deadline.after(ENOUGH);
      DeviceMemory memory = DeviceMemory.of(rig.memory);
      try (var device = new RehearsalDevice(options, kernel, twin, memory, List.of(), within)) {
        List<VhostNet> nets = List.of(device.net());
        device.preset(mode, early);
        device.prepareStart(early);
        for (int round = 0; round < 3; round++) {
          device.rewind(round == 2);
          device.net().restore(early);
          StartResult started = VhostNetGroup.start(nets, StartOrder.PLANNED).getFirst();

          assertThat(started.running()).as(started.toString()).isTrue();
          assertThat(started.fallback()).isNull();
          assertThat(VhostNetGroup.stop(nets, StartOrder.PLANNED)).allMatch(Outcome::complete);
        }
      }
    }
  }

  static Stream<Arguments> kernels() {
    long features = NetFeature.BACK_END & ~NetFeature.RING_PACKED.mask();
    var net =
        new BackEndCapabilities(
            features, new BackEndProtocol.VhostNet(), 2, 64, BackEndProfile.VHOST_NET);
    var vdpa =
        new BackEndCapabilities(
            features,
            new BackEndProtocol.VhostVdpa(Optional.empty(), true, true, 256, 1500),
            2,
            64,
            BackEndProfile.VHOST_VDPA);
    return Stream.of(
        Arguments.of(net, PresetupMode.IMPLICIT),
        Arguments.of(vdpa, PresetupMode.IMPLICIT),
        Arguments.of(vdpa, PresetupMode.EXPLICIT));
  }

  @Test
  void theBoundCoversTheSetUp() {
    try (Rig rig = rig(Personality.GENERIC, 1)) {
      assertThat(VhostNetGroup.rehearse(rig.nets, Duration.ZERO)).isZero();
      assertThat(VhostNetGroup.rehearse(List.of(), ENOUGH)).isZero();

      Deadline over = Deadline.after(Duration.ZERO);
      assertThatThrownBy(() -> rig.net().migration().rehearsal(over))
          .isInstanceOf(VhostException.class)
          .hasMessage("net0: there is no time left to rehearse");
    }
  }

  @Test
  void presetupOfARehearsalEndsAtItsBound() {
    try (Rig rig = rig(Personality.DPDK, 1)) {
      rig.driveAll();
      Deadline within = Deadline.after(ENOUGH);
      try (RehearsalDevice device = rig.net().migration().rehearsal(within)) {
        assertThat(device.net().transitionDeadline().allowed()).isLessThanOrEqualTo(ENOUGH);
        assertThat(device.net().migration().presetupDeadline().allowed())
            .isLessThanOrEqualTo(ENOUGH);
      }
    }
  }

  @Test
  void aBackEndThatTakesRegionsOneByOneIsRehearsedToo() {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC).with(ProtocolFeature.CONFIGURE_MEM_SLOTS);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      assertThat(VhostNetGroup.rehearse(rig.nets, ENOUGH)).isPositive();
      rig.driveAll();
      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(StartResult::running);
      assertThat(rig.backEnd().record().count(FrontEndRequest.ADD_MEM_REG)).isPositive();
      rig.noRuleWasBroken();
    }
  }

  @Test
  void presetupRehearsesTheStart() {
    try (Rig rig = rig(Personality.VFE, 2)) {
      rig.driveAll();
      List<VhostNetGroup.EarlyState> early = new ArrayList<>();
      rig.nets.forEach(net -> early.add(new VhostNetGroup.EarlyState(net, net.snapshot(), 1)));
      PresetupMode mode = PresetupMode.IMPLICIT;

      assertThat(VhostNetGroup.presetup(mode, early, () -> false)).allMatch(PresetupResult::done);
      int told = rig.backEnd().record().names(0).size();
      assertThat(GroupRehearsal.afterPresetup(mode, early, ENOUGH, () -> false)).isPositive();

      assertThat(rig.backEnd().record().names(0)).hasSize(told);
      assertThat(GroupRehearsal.afterPresetup(mode, early, ENOUGH, () -> true)).isZero();
      assertThat(GroupRehearsal.afterPresetup(mode, early, Duration.ZERO, () -> false)).isZero();
      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(StartResult::running);
      rig.noRuleWasBroken();
    }
  }

  /** What is loaded there is loaded while a guest is stopped. */
  @Test
  @Timeout(120)
  void theFirstStartOfAJvmLoadsNoClass() {
    DescriptorLedger ledger = DescriptorLedger.counting();
    BackEndOffer offer = BackEndOffer.of(Personality.GENERIC).withDialect(FreshGroup.DIALECT);
    Path log = dir.resolve("classes.log");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(ClassLog.options(log));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(FreshGroup.class.getName());
    command.addAll(List.of(dir.resolve("a").toString(), dir.resolve("b").toString()));
    String line;
    try (var _ = MockBackEnd.builder(dir.resolve("a"), ledger).offer(offer).start();
        var _ = MockBackEnd.builder(dir.resolve("b"), ledger).offer(offer).start();
        var child = ChildProcess.leashed("a fresh JVM", command, Map.of())) {
      line = child.transcript().awaitText(FreshGroup.UNIT, 0, Rig.soon(), "a fresh JVM");
    }
    String[] numbers = line.strip().split(" ", -1);

    assertThat(Integer.parseInt(numbers[2])).as("rehearsed rounds").isPositive();
    assertThat(ClassLog.between(log, Long.parseLong(numbers[0]), Long.parseLong(numbers[1])))
        .isEmpty();
  }

  @Test
  void noDevicesAreStartedAndStoppedAtOnce() {
    for (StartOrder order : List.of(StartOrder.PLANNED, QemuOrder.QEMU)) {
      assertThat(VhostNetGroup.start(List.of(), order)).isEmpty();
      assertThat(VhostNetGroup.stop(List.of(), order)).isEmpty();
    }
  }
}
