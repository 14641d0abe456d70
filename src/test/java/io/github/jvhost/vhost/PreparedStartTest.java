package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.Configs;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.VirtioNet;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A start that was made ahead of time tells what one that is planned when due tells. */
class PreparedStartTest {
  private static final BackEndOffer PRESETUP =
      BackEndOffer.of(Personality.VFE).withDialect(Configs.WITH_PRESETUP);

  @TempDir private Path dir;

  static Stream<Arguments> ways() {
    return Stream.of(
        Arguments.of(PRESETUP, BackEndProfile.GENERIC, PresetupMode.EXPLICIT),
        Arguments.of(
            BackEndOffer.of(Personality.GENERIC), BackEndProfile.GENERIC, PresetupMode.IMPLICIT),
        Arguments.of(
            BackEndOffer.of(Personality.DPDK), BackEndProfile.DPDK, PresetupMode.IMPLICIT));
  }

  /** Presets both devices of a rig, and prepares their starts where asked. */
  private static void preset(Rig rig, PresetupMode mode, boolean prepared) {
    rig.driveAll();
    assertThat(rig.presetup(mode)).allMatch(PresetupResult::done);
    for (VhostNet net : rig.nets) {
      if (prepared) {
        assertThat(net.migration().prepareStart(net.snapshot())).isTrue();
      }
    }
  }

  /** Starts, and answers what was told to each device, with what was planned. */
  private static List<String> started(Rig rig) throws InterruptedException {
    List<String> told = new ArrayList<>();
    List<Integer> marks = rig.backEnds.stream().map(b -> b.record().mark()).toList();
    List<StartResult> results = VhostNetGroup.start(rig.nets, StartOrder.PLANNED);
    for (int i = 0; i < results.size(); i++) {
      StartResult result = results.get(i);
      assertThat(result.fallback()).isNull();
      assertThat(result.waits()).isEqualTo(1);
      told.add(rig.names(i, marks.get(i), result.messages()).toString());
      told.add(result.plan().describe());
      told.add("%d messages, %d steps".formatted(result.messages(), result.outcome().stepsTaken()));
      told.add(withoutNotifiers(rig.nets.get(i).shadow()));
    }
    rig.noRuleWasBroken();
    return told;
  }

  /** Eventfds are other files in each rig, and so are memory tables. */
  private static String withoutNotifiers(Shadow shadow) {
    return shadow.rings().stream()
        .map(r ->
            "%s %s %s %s"
                .formatted(r.run(), r.get(Fact.SIZE), r.get(Fact.BASE), r.get(Fact.ADDRESS)))
        .toList()
        .toString();
  }

  @ParameterizedTest
  @MethodSource("ways")
  void itTellsTheSame(BackEndOffer offer, BackEndProfile profile, PresetupMode mode)
      throws Exception {
    List<List<String>> both = new ArrayList<>();
    for (boolean prepared : new boolean[] {false, true}) {
      Path own = Files.createDirectory(dir.resolve(prepared ? "prepared" : "planned"));
      try (Rig rig = new Rig(own, 2, offer, profile)) {
        preset(rig, mode, prepared);
        rig.ringsAreAtSomeIndex();
        both.add(started(rig));
        for (int ring = 0; ring < 2; ring++) {
          int index = 1010 + ring;
          assertThat(rig.backEnds.get(1).ring(ring))
              .hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(index));
        }
      }
    }
    assertThat(both.get(1)).isEqualTo(both.get(0));
  }

  @Test
  void whatElseTheGuestChangedIsPlannedWhenDue() throws Exception {
    try (Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, PresetupMode.EXPLICIT, true);
      rig.setQueuePairs(2);
      rig.ringsAreAtSomeIndex();

      List<String> told = started(rig);

      assertThat(told.get(1)).contains("ring 2 enabled false -> true");
      assertThat(rig.backEnd().ring(0)).hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(10));
    }
  }

  /** DPDK takes the used index from guest memory; where that is not the base, it is told again. */
  @Test
  void aRingThatGoesOnElsewhereThanItsUsedIndexIsPlannedWhenDue() throws Exception {
    try (Rig rig = new Rig(dir, 1, BackEndOffer.of(Personality.DPDK), BackEndProfile.DPDK)) {
      preset(rig, PresetupMode.IMPLICIT, true);
      rig.ringsAreAtSomeIndex();
      rig.net().model().setNextIndex(1, RingIndex.split(4711));

      List<String> told = started(rig);

      assertThat(told.get(0)).contains("SET_VRING_ADDR");
      assertThat(rig.backEnd().ring(1))
          .as("the used index, at which this back end goes on")
          .hasValueSatisfying(r -> assertThat(r.base()).isEqualTo(11));
    }
  }

  @Test
  void aConnectionThatWasMadeAnewIsToldEverything() throws Exception {
    try (Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, PresetupMode.EXPLICIT, true);
      rig.net().migration().reconnectOnly("a test wants it");
      assertThat(started(rig).get(0)).contains("SET_MEM_TABLE");
    }
  }

  @Test
  void aWindowOpensOnceAndAPreparedStartIsUsedOnce() throws Exception {
    try (Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      preset(rig, PresetupMode.EXPLICIT, true);
      try (var window = new DeviceStart(rig.nets, StartOrder.PLANNED)) {
        window.start();
        assertThatThrownBy(window::start).isInstanceOf(IllegalStateException.class);
      }
      int mark = rig.backEnd().record().mark();
      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED).getFirst().plan().isEmpty())
          .as("it runs already")
          .isTrue();
      assertThat(rig.backEnd().record().names(mark)).isEmpty();
    }
  }

  /** Where no acknowledgements are asked for. What stands for the devices tells the same. */
  @Test
  void aWindowIsRehearsedAndThenOpened() throws Exception {
    assertThat(BackEndProfile.LIBVHOST_USER.hangsUpOnRefusal()).isTrue();
    try (Rig rig = new Rig(dir, 2, PRESETUP, BackEndProfile.LIBVHOST_USER)) {
      preset(rig, PresetupMode.EXPLICIT, true);
      List<RehearsalDevice> actors = new ArrayList<>();
      try {
        for (VhostNet net : rig.nets) {
          RehearsalDevice actor = net.migration().rehearsal(Rig.soon());
          actors.add(actor);
          actor.preset(PresetupMode.EXPLICIT, net.snapshot());
          actor.prepareStart(net.snapshot());
          actor.net().restore(net.snapshot());
        }
        List<VhostNet> twins = actors.stream().map(RehearsalDevice::net).toList();
        for (int i = 0; i < 4; i++) {
          boolean changed = i % 2 == 1;
          actors.forEach(actor -> actor.rewind(changed));
          for (VhostNet twin : twins) {
            twin.model().setNextIndex(0, RingIndex.split(i));
          }
          assertThat(VhostNetGroup.start(twins, StartOrder.PLANNED))
              .allMatch(StartResult::running)
              .allSatisfy(r -> assertThat(r.plan().describe()).contains("ring 0 base"));
        }
      } finally {
        actors.forEach(RehearsalDevice::close);
      }
      rig.ringsAreAtSomeIndex();

      assertThat(VhostNetGroup.start(rig.nets, StartOrder.PLANNED)).allMatch(r -> r.waits() == 1);

      assertThat(rig.backEnds).allMatch(b -> b.isRunning());
      rig.noRuleWasBroken();
    }
  }

  @Test
  void aDeviceWithoutADriverHasNothingToPrepare() throws Exception {
    try (Rig rig = new Rig(dir, 1, PRESETUP, BackEndProfile.GENERIC)) {
      VirtioNet model = rig.net().model();
      assertThat(rig.net().migration().prepareStart(model.snapshot())).isFalse();
    }
  }
}
