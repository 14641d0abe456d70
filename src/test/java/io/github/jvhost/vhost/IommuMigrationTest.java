package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingShadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Translations that a source has told its back end, at the destination. */
class IommuMigrationTest extends IommuRig {
  @Test
  void whatTheSourceToldIsToldEarlyAndNotInTheWindow() {
    VhostNet net = connect(iommu);
    drive(net);
    mapRings();
    iommu.map(0x9000_0000L, 0x200000, 4 * PAGE, Access.READ_WRITE);
    IommuTable source = new IommuTable(iommu);
    net.migration().expectTranslations(toldAt(source));
    iommu.unmap(0, -1); // this host's IOMMU has not got its state yet

    assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);
    long early = updates();
    assertThat(early).isEqualTo(3 * Rig.RINGS + 1);

    source.mappings().forEach(iommu::map);
    net.start();

    assertThat(updates()).as("nothing more in the window").isEqualTo(early);
    assertThat(rig.backEnd().record().iotlb().invalidations()).isZero();
    assertThat(rig.backEnd().record().iotlb().misses()).isEmpty();
    rig.noRuleWasBroken();
  }

  /** The IOMMU knows nothing yet, and the code has to be warm all the same. */
  @Test
  void theWindowIsRehearsedWithWhatTheSourceTold() {
    VhostNet net = connect(iommu);
    mapRings();
    drive(net);
    VirtioNetState state = net.snapshot();
    net.migration().expectTranslations(toldAt(iommu));
    iommu.unmap(0, -1);

    try (RehearsalDevice copy = net.migration().rehearsal(Rig.soon())) {
      copy.preset(PresetupMode.IMPLICIT, state);
      copy.prepareStart(state);
      for (boolean changed : new boolean[] {false, true, false}) {
        copy.rewind(changed);
        copy.net().restore(state);
        List<StartResult> started = VhostNetGroup.start(List.of(copy.net()), StartOrder.PLANNED);

        assertThat(started).singleElement().matches(StartResult::running);
        assertThat(started.getFirst().plan().steps())
            .as("what was told early is not told again")
            .noneMatch(step -> step.step() instanceof Step.Translate)
            .filteredOn(step -> step.step() instanceof Step.Set<?> set && set.fact() == Fact.BASE)
            .hasSize(Rig.RINGS);
      }
    }
    assertThat(updates()).as("the device's own back end").isZero();
  }

  @Test
  void aWindowWithoutHintsIsRehearsedToo() {
    VhostNet net = connect(iommu);
    drive(net);
    VirtioNetState state = net.snapshot();

    try (RehearsalDevice copy = net.migration().rehearsal(Rig.soon())) {
      copy.net().restore(state);
      assertThat(VhostNetGroup.start(List.of(copy.net()), StartOrder.PLANNED))
          .singleElement()
          .matches(StartResult::running);
      assertThat(copy.net().shadow().ring(Rig.RINGS - 1).run()).isEqualTo(RingShadow.Run.STARTED);
    }
  }

  @Test
  void aWrongHintIsWithdrawnInTheWindow() {
    VhostNet net = connect(iommu);
    drive(net);
    mapRings();
    net.migration()
        .expectTranslations(
            List.of(new Translation(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE)));
    rig.presetup(PresetupMode.IMPLICIT);

    net.start();

    assertThat(rig.backEnd().record().iotlb().invalidations()).isEqualTo(1);
    assertThat(net.shadow().mayHoldTranslations(0x9000_0000L, 0x9000_0fffL)).isFalse();
    rig.noRuleWasBroken();
  }
}
