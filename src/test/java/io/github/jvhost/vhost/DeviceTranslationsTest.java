package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.DeviceTranslations.Area;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Step;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeviceTranslationsTest {
  private static final long PAGE = 4096;
  private static final long RAM = 1 << 20;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final GuestMemory memory =
      GuestMemory.builder(ledger).region("ram", 0, RAM).region("more", RAM, RAM).build();
  private final IommuTable iommu = new IommuTable();
  private final DeviceTranslations translations =
      new DeviceTranslations("net0", new DeviceMemory(memory, iommu));
  private final PlannedTranslations backEnd = new PlannedTranslations(translations, memory);

  @BeforeEach
  void tellMemory() {
    backEnd.plan(DeviceConfig.Lifecycle.RUNNING, List.of());
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private static Translation page(long iovaPage, long guestPage) {
    return new Translation(iovaPage * PAGE, guestPage * PAGE, PAGE, Access.READ_WRITE);
  }

  private List<Translation> desired() {
    return translations.desired(List.of(), true);
  }

  private List<Translation> planned() {
    return backEnd.plan(DeviceConfig.Lifecycle.RUNNING, List.of());
  }

  /** What the back end is told at once when it asks. */
  private Optional<Translation> answer(long iova, Access access) {
    return translations.missed(iova, access).map(Step.Translate::translation);
  }

  @Test
  void aMissIsAnsweredWithThePieceAroundIt() {
    iommu.map(0x10000, 0x20000, 4 * PAGE, Access.READ_WRITE);

    assertThat(answer(0x11234, Access.READ))
        .contains(new Translation(0x10000, 0x20000, 4 * PAGE, Access.READ_WRITE));
    assertThat(desired()).as("it stays").hasSize(1);
  }

  @Test
  void whatMayBeWrittenMayBeReadToo() {
    iommu.map(0x10000, 0x20000, PAGE, Access.WRITE);

    assertThat(answer(0x10000, Access.WRITE)).contains(page(0x10, 0x20));
  }

  @Test
  void aBackEndThatWantsToReadWhatItReceivesIntoNeedsNoMoreThanTheGuestGrants() {
    iommu.map(0x10000, 0x20000, PAGE, Access.WRITE);

    assertThat(answer(0x10000, Access.READ_WRITE)).contains(page(0x10, 0x20));
  }

  @Test
  void whatMayOnlyBeReadIsNotWritten() {
    iommu.map(0x10000, 0x20000, PAGE, Access.READ);

    assertThat(translations.missed(0x10000, Access.READ_WRITE)).isEmpty();
    assertThat(answer(0x10000, Access.READ))
        .contains(new Translation(0x10000, 0x20000, PAGE, Access.READ));
  }

  /** A plan waits until the entry is withdrawn. An answer to a miss would not. */
  @Test
  void anEntryThatPermitsTooLittleIsReplacedByAPlan() {
    iommu.map(0x10000, 0x20000, PAGE, Access.READ);
    translations.missed(0x10000, Access.READ);
    iommu.unmap(0x10000, PAGE);
    iommu.map(0x10000, 0x20000, PAGE, Access.READ_WRITE);

    assertThat(answer(0x10000, Access.READ_WRITE)).isEmpty();
    assertThat(translations.isPlanWanted()).isTrue();
    assertThat(planned()).containsExactly(page(0x10, 0x20));
    assertThat(translations.isPlanWanted()).as("it was told").isFalse();
  }

  @Test
  void aPieceEndsWithItsMemoryRegion() {
    iommu.map(0x10000, RAM - PAGE, 2 * PAGE, Access.READ_WRITE);

    assertThat(answer(0x10000, Access.READ))
        .contains(new Translation(0x10000, RAM - PAGE, PAGE, Access.READ_WRITE));
  }

  /** One mapping for all of a guest's memory, as with an IOMMU that passes addresses through. */
  @Test
  void aMissIsAnsweredInTheRegionWhereItIs() {
    iommu.map(0, 0, 1L << 40, Access.READ_WRITE);

    assertThat(answer(RAM + PAGE, Access.READ_WRITE))
        .contains(new Translation(RAM, RAM, RAM, Access.READ_WRITE));
    assertThat(answer(PAGE, Access.READ_WRITE))
        .contains(new Translation(0, 0, RAM, Access.READ_WRITE));
    assertThat(answer(2 * RAM, Access.READ_WRITE)).as("behind the last one").isEmpty();
  }

  /** It would refuse an answer that leads to memory which it does not know yet. */
  @Test
  void aMissInMemoryThatWasAddedWaitsForThePlanThatTellsIt() {
    memory.addRegion("added", 4 * RAM, RAM);
    iommu.map(0x10000, 4 * RAM, PAGE, Access.READ_WRITE);

    assertThat(answer(0x10000, Access.READ)).isEmpty();

    assertThat(translations.isPlanWanted()).isTrue();
    planned();
    assertThat(backEnd.held).hasSize(1);
  }

  @Test
  void whereNoMemoryIsNothingIsTold() {
    iommu.map(0x10000, 1L << 40, PAGE, Access.READ_WRITE);

    assertThat(translations.missed(0x10000, Access.READ)).isEmpty();
    assertThat(desired()).isEmpty();
  }

  @Test
  void ringAreasGoOverPagesThatAreApart() {
    iommu.map(0x10000, 0x20000, PAGE, Access.READ);
    iommu.map(0x11000, 0x30000, PAGE, Access.READ);

    assertThat(translations.desired(List.of(new Area(0x10800, PAGE)), true))
        .containsExactly(
            new Translation(0x10800, 0x20800, 0x800, Access.READ_WRITE),
            new Translation(0x11000, 0x30000, 0x800, Access.READ_WRITE));
  }

  /** A ring needs more than the guest permits. What lies beside it does not. */
  @Test
  void ofAMappingThatMayOnlyBeReadTheRingAloneBecomesWritable() {
    iommu.map(0x10000, 0x20000, 4 * PAGE, Access.READ);
    translations.missed(0x10000, Access.READ);

    assertThat(translations.desired(List.of(new Area(0x11800, 0x1000)), true))
        .containsExactly(
            new Translation(0x10000, 0x20000, 0x1800, Access.READ),
            new Translation(0x11800, 0x21800, 0x1000, Access.READ_WRITE),
            new Translation(0x12800, 0x22800, 0x1800, Access.READ));
    assertThat(desired())
        .as("without the ring")
        .containsExactly(new Translation(0x10000, 0x20000, 4 * PAGE, Access.READ));
  }

  /** A back end maps each region somewhere. */
  @Test
  void twoRegionsAreApart() {
    iommu.map(0x10000, RAM - PAGE, 2 * PAGE, Access.READ_WRITE);
    translations.mapped(0x10000, 0x11fff, true);
    List<Area> areas = List.of(new Area(0x10800, PAGE));

    assertThat(ApartMemory.in(desired(), memory.table())).hasSize(1);
    assertThat(translations.canServe(0, areas, true)).isFalse();
    assertThat(translations.canServe(0, areas, false)).as("by another back end").isTrue();
  }

  @Test
  void aHintIsTakenAsItIsUntilTheIommuKnows() {
    translations.expect(List.of(page(0x10, 0x20), page(0x11, 0x21), page(0x30, 1L << 30)));
    assertThat(translations.desired(List.of(), false))
        .as("what lies in guest memory")
        .containsExactly(page(0x10, 0x20), page(0x11, 0x21));

    iommu.map(0x10000, 0x20000, PAGE, Access.READ_WRITE);
    iommu.map(0x11000, 0x99000, PAGE, Access.READ_WRITE);

    assertThat(desired()).containsExactly(page(0x10, 0x20), page(0x11, 0x99));
  }

  @Test
  void aMergedHintIsRightIfAllOfItsPiecesAre() {
    Translation merged = new Translation(0x10000, 0x20000, 2 * PAGE, Access.READ_WRITE);
    assertThat(DeviceTranslations.merged(List.of(page(0x10, 0x20), page(0x11, 0x21))))
        .containsExactly(merged);
    translations.expect(List.of(merged));
    iommu.map(0x10000, 0x20000, 2 * PAGE, Access.READ_WRITE);

    assertThat(desired()).containsExactly(merged);

    iommu.unmap(0x10000, PAGE);
    assertThat(desired()).containsExactly(page(0x11, 0x21));
  }

  /** The source chooses its hints, and each is looked up in the stop window. */
  @Test
  void aHintInTooManyPiecesIsNotFollowedToItsEnd() {
    int pieces = 4 * DeviceTranslations.MOST;
    var lookedUp = new AtomicInteger();
    Iommu inBytes =
        (iova, _) -> {
          lookedUp.incrementAndGet();
          return Optional.of(new Translation(iova, iova, 1, Access.READ_WRITE));
        };
    var device = new DeviceTranslations("net0", new DeviceMemory(memory, inBytes));
    device.expect(List.of(new Translation(0, 0, pieces, Access.READ_WRITE)));

    assertThat(device.desired(List.of(), true)).hasSize(DeviceTranslations.MOST);
    assertThat(lookedUp).hasValueLessThanOrEqualTo(2 * DeviceTranslations.MOST);
  }

  @Test
  void anEntryIsRaisedOnlyWhereTheGuestLetsTheDeviceWrite() {
    iommu.map(0x10000, 0x20000, 2 * PAGE, Access.READ);
    translations.missed(0x10000, Access.READ);
    iommu.unmap(0x10000, PAGE);
    iommu.map(0x10000, 0x20000, PAGE, Access.READ_WRITE);

    assertThat(answer(0x10000, Access.READ_WRITE)).isEmpty();
    assertThat(desired())
        .containsExactly(page(0x10, 0x20), new Translation(0x11000, 0x21000, PAGE, Access.READ));
  }

  @Test
  void aRangeOfAllAddressesEnds() {
    iommu.map(0x10000, 0x20000, PAGE, Access.READ_WRITE);

    assertThat(translations.mapped(0, -1, true)).isTrue();
    assertThat(desired()).containsExactly(page(0x10, 0x20));
    assertThat(translations.mapped(1L << 50, -1, true)).as("nothing is mapped there").isFalse();
  }

  @Test
  void adjoiningAddressesAloneAreNotMerged() {
    List<Translation> apart = List.of(page(0x10, 0x20), page(0x11, 0x30));

    assertThat(DeviceTranslations.merged(apart)).isEqualTo(apart);
  }

  /** A back end may ask for the same again and again. */
  @Test
  void whatWasToldIsKeptOnce() {
    iommu.map(0x10000, 0x20000, PAGE, Access.READ_WRITE);
    for (int i = 0; i < 1000; i++) {
      assertThat(answer(0x10000, Access.READ)).isPresent();
    }

    assertThat(translations.takeSent()).hasSize(1);
  }
}
