package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.RingShadow;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** I/O virtual addresses that adjoin, and memory that is apart. */
class ApartMemoryTest extends IommuRig {
  /** The used area of a ring is in two places that adjoin only in I/O virtual addresses. */
  private void mapUsedApart(int ring) {
    iommu.unmap(iova(ring) + 0x4000, PAGE);
    iommu.map(iova(ring) + 0x4000, guest(ring), 0x400, Access.READ_WRITE);
    iommu.map(iova(ring) + 0x4400, guest(ring) + 3 * PAGE, 0x406, Access.READ_WRITE);
  }

  private void mapUsedInOnePiece(VhostNet net, int ring) {
    iommu.unmap(iova(ring) + 0x4000, PAGE);
    net.iotlbInvalidate(iova(ring) + 0x4000, PAGE);
    iommu.map(iova(ring) + 0x4000, guest(ring), PAGE, Access.READ_WRITE);
    net.iotlbMapped(iova(ring) + 0x4000, PAGE);
  }

  private static void assertServed(VhostNet net, int rings) {
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      assertThat(net.shadow().ring(ring).run())
          .as("ring %d", ring)
          .isEqualTo(ring < rings ? RingShadow.Run.STARTED : RingShadow.Run.STOPPED);
    }
  }

  @Test
  void aRingWhoseMemoryIsApartIsNotServedByABackEndThatTakesItForOnePiece() {
    VhostNet net = connect(iommu);
    drive(net);
    mapRings();
    mapUsedApart(3);

    net.start();

    assertServed(net, 3);
    mapUsedInOnePiece(net, 3);
    assertServed(net, 4);
    rig.noRuleWasBroken();
  }

  @Test
  void aRingThatComesApartWhileItRunsIsStoppedAndTheOthersGoOn() {
    VhostNet net = running();
    mapUsedApart(3);

    net.iotlbInvalidate(iova(3) + 0x4000, PAGE);

    assertThat(net.running()).isTrue();
    assertServed(net, 3);
    mapUsedInOnePiece(net, 3);
    assertServed(net, 4);
    rig.noRuleWasBroken();
  }

  @Test
  void aRingWhoseMemoryIsApartIsNotServedAfterPresetupEither() {
    VhostNet net = connect(iommu);
    mapRings();
    drive(net);
    mapUsedApart(3);
    net.migration().expectTranslations(toldAt(iommu));
    rig.presetup(PresetupMode.IMPLICIT);
    assertThat(net.migration().prepareStart(net.snapshot())).isTrue();

    assertThat(VhostNetGroup.start(List.of(net), StartOrder.PLANNED))
        .singleElement()
        .matches(StartResult::running);

    assertServed(net, 3);
    rig.noRuleWasBroken();
  }

  @Test
  void hintsThatAreApartAreNotToldEarlyWhereTheOptionsRefuseThem() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofSeconds(10)).refusingApartMemory());
    mapRings();
    drive(net);
    List<Translation> apart =
        List.of(
            new Translation(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE),
            new Translation(0x9000_1000L, 0x300000, PAGE, Access.READ_WRITE));
    net.migration().expectTranslations(apart);

    assertThat(rig.presetup(PresetupMode.IMPLICIT)).allMatch(PresetupResult::done);

    assertThat(updates()).isZero();
    net.start();
    assertThat(net.running()).as("the IOMMU has mapped nothing that is apart").isTrue();
  }

  /** Two pages that adjoin only in I/O virtual addresses. */
  private void mapApart() {
    iommu.map(0x9000_0000L, 0x200000, PAGE, Access.READ_WRITE);
    iommu.map(0x9000_1000L, 0x300000, PAGE, Access.READ_WRITE);
  }

  @Test
  void buffersWhoseMemoryIsApartAreRefusedAtTheStartWhereTheOptionsSaySo() {
    VhostNet net = connect(iommu, rig.options(0, Duration.ofSeconds(10)).refusingApartMemory());
    mapRings();
    drive(net);
    mapApart();
    net.iotlbUpdate(0x9000_0000L, 2 * PAGE);

    assertThatThrownBy(net::start)
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageStartingWith(
            "net0 is not started: the I/O virtual addresses up to 0x90001000 and from there on"
                + " lead to memory that is apart");
    assertThat(updates()).as("nothing was told").isZero();

    iommu.unmap(0x9000_1000L, PAGE);
    net.start();
    assertThat(net.running()).isTrue();
    rig.noRuleWasBroken();
  }

  @Test
  void otherwiseTheyAreCounted() {
    VhostNet net = running();
    mapApart();
    net.iotlbUpdate(0x9000_0000L, 2 * PAGE);

    assertThat(net.iotlb()).isEqualTo(new IotlbStatus(3 * Rig.RINGS + 2, 2 * Rig.RINGS, 1, 0));
  }
}
