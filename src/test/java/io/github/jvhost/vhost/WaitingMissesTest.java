package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.vhost.plan.DeviceConfig;
import io.github.jvhost.vhost.plan.Step;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A back end asks for each address once. So each has to be told at some time, or it is lost. */
class WaitingMissesTest {
  private static final long PAGE = 4096;

  /** Where the pages are that the back end asks for. Between two there is a gap. */
  private static final long FIRST = 0x1000_0000L;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
  private final IommuTable iommu = new IommuTable();
  private final DeviceTranslations translations =
      new DeviceTranslations("net0", new DeviceMemory(memory, iommu));

  private final PlannedTranslations backEnd = new PlannedTranslations(translations, memory);

  /** The pages that the back end was told at some time. */
  private final Set<Long> told = new HashSet<>();

  @BeforeEach
  void tellMemory() {
    backEnd.plan(DeviceConfig.Lifecycle.RUNNING, List.of());
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private static long iova(int page) {
    return FIRST + 2L * page * PAGE;
  }

  private void map(int from, int to) {
    for (int i = from; i < to; i++) {
      iommu.map(iova(i), i % 200 * PAGE, PAGE, Access.READ_WRITE);
    }
  }

  private void ask(int from, int to) {
    for (int i = from; i < to; i++) {
      translations
          .missed(iova(i), Access.READ_WRITE)
          .map(Step.Translate::translation)
          .ifPresent(one -> told.add(one.iova()));
    }
  }

  private boolean mapped(int from, int to, boolean push) {
    return translations.mapped(iova(from), iova(to) - 1, push);
  }

  /** Does what a watch does. Returns how many plans it took. */
  private int plans() {
    int plans = 0;
    while (translations.isPlanWanted()) {
      plan();
      plans++;
      assertThat(plans).as("it ends").isLessThan(100);
    }
    return plans;
  }

  private void plan() {
    List<Translation> desired = backEnd.plan(DeviceConfig.Lifecycle.RUNNING, List.of());
    assertThat(desired).hasSizeLessThanOrEqualTo(DeviceTranslations.MOST);
    desired.forEach(one -> told.add(one.iova()));
  }

  private void assertTold(int pages) {
    for (int i = 0; i < pages; i++) {
      assertThat(told).as("page %d", i).contains(iova(i));
    }
  }

  @Test
  void aMissThatNothingAnswersIsToldWhenTheGuestMapsIt() {
    ask(0, 1);
    assertThat(mapped(10, 20, false)).as("somewhere else").isFalse();

    map(0, 1);

    assertThat(mapped(0, 1, false)).isTrue();
    assertThat(plans()).isEqualTo(1);
    assertTold(1);
    assertThat(mapped(0, 1, false)).as("it is answered").isFalse();
  }

  @Test
  void howeverManyComeBeforeAPlanEachIsTold() {
    map(0, 4000);
    ask(0, 4000);
    assertThat(told).as("answered at once").hasSize(DeviceTranslations.MOST);

    plans();

    assertTold(4000);
  }

  @Test
  void howeverManyAreMappedAtOnceEachIsTold() {
    ask(0, 4000);
    map(0, 4000);

    assertThat(mapped(0, 4000, false)).isTrue();
    plans();

    assertTold(4000);
  }

  @Test
  void aRangeOfTooManyPiecesTakesNoMissAway() {
    ask(0, 500);
    map(0, 4000);

    assertThat(mapped(0, 4000, true)).isTrue();
    plans();

    assertTold(500);
  }

  /** A tool looks at what a plan would send, or a plan is not sent for another reason. */
  @Test
  void whatAPlanWantedAndDidNotTellWaitsOn() {
    ask(0, 1);
    map(0, 1);
    assertThat(mapped(0, 1, false)).isTrue();

    translations.desired(List.of(), true);

    assertThat(translations.isPlanWanted()).isTrue();
  }

  @Test
  void aPlanMakesRoomForManyMisses() {
    map(0, 2 * DeviceTranslations.MOST);
    int plans = 0;
    for (int i = 0; i < 2 * DeviceTranslations.MOST; i++) {
      ask(i, i + 1);
      plans += plans();
    }

    assertTold(2 * DeviceTranslations.MOST);
    assertThat(plans).isEqualTo(4);
    assertThat(translations.desired(List.of(), true))
        .as("the oldest have gone")
        .noneMatch(one -> one.contains(FIRST));
  }

  /** A ring may be where the guest has put what it sends. Of both the guest maps one first. */
  @Test
  void aMissToReadDoesNotWaitForThePermissionToWrite() {
    translations.missed(FIRST, Access.READ_WRITE);
    translations.missed(FIRST, Access.READ);
    iommu.map(FIRST, 0, PAGE, Access.READ);

    assertThat(translations.mapped(FIRST, FIRST + PAGE - 1, false)).isTrue();

    assertThat(backEnd.plan(DeviceConfig.Lifecycle.RUNNING, List.of()))
        .containsExactly(new Translation(FIRST, 0, PAGE, Access.READ));
    assertThat(translations.isPlanWanted()).isFalse();
  }

  @Test
  void theConnectionOfABackEndThatAsksForTooManyIsGivenUp() {
    ask(0, DeviceTranslations.MOST_WAITING);
    assertThat(translations.desired(List.of(), true)).as("nothing is mapped").isEmpty();

    ask(0, DeviceTranslations.MOST_WAITING + 1);

    assertThat(translations.isPlanWanted()).as("somebody plans, and hears of it").isTrue();
    assertThatThrownBy(() -> translations.desired(List.of(), true))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.RECONNECT))
        .hasMessageStartingWith("net0: the back end has asked for more than 65536 addresses");

    translations.anotherBackEnd();
    assertThat(translations.desired(List.of(), true)).as("it asks anew").isEmpty();
  }
}
