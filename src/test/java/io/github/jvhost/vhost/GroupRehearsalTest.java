package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
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
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
