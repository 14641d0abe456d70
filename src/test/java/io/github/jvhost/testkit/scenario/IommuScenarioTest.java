package io.github.jvhost.testkit.scenario;

import static io.github.jvhost.testkit.scenario.Runs.DEVICES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.dpdk.Testpmd;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.vhost.plan.Step;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A guest behind an IOMMU migrates: its mappings stay, so what the source's back end was told is
 * all that the destination's needs.
 */
@Timeout(120)
class IommuScenarioTest {
  /** 128 buffers of 2 KiB in each of two rings. */
  private static final int BUFFER_PAGES = 128;

  /** Two rings, the control ring, and its commands. */
  private static final int OTHER_MAPPINGS = 4;

  private static final long MAPPINGS = DEVICES * (BUFFER_PAGES + OTHER_MAPPINGS);

  /** A hundred answers lie in half as many pages at least. */
  private static final long PAGES_OF_ANSWERS = DEVICES * 50;

  private static ScenarioOptions options(Variant variant, boolean dpdk) {
    ScenarioOptions options = Runs.options(variant).behindIommu();
    options =
        switch (variant) {
          case IMPLICIT_DPDK -> options.with(null, Personality.DPDK, BackEndProfile.DPDK);
          case EXPLICIT -> options.with(null, Personality.VFE, BackEndProfile.NVIDIA_VFE);
          case OFF, OFF_PIPELINED, IMPLICIT -> options;
        };
    return dpdk ? options.onDpdk() : options;
  }

  private static RunResult.Iotlb migrate(Variant variant, boolean dpdk) {
    if (dpdk) {
      Optional<String> reason = Testpmd.available();
      assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    }
    RunResult result = Runs.migrate(options(variant, dpdk));
    assertThat(result.fallback()).isNull();
    return Objects.requireNonNull(result.iotlb());
  }

  private static void assertAllWasTold(RunResult.Iotlb iotlb, boolean dpdk) {
    assertThat(iotlb.missesInWindow()).isZero();
    assertThat(iotlb.missesAfter()).isZero();
    assertThat(iotlb.framesLost()).isEqualTo(dpdk ? null : Long.valueOf(0));
    assertThat(iotlb.widened())
        .as("receive buffers, which the guest lets a device only write")
        .isEqualTo(DEVICES * BUFFER_PAGES / 2);
  }

  @ParameterizedTest
  @CsvSource({"EXPLICIT, false", "IMPLICIT_DPDK, false", "IMPLICIT_DPDK, true"})
  void withPresetupNothingIsAskedFor(Variant variant, boolean dpdk) {
    RunResult.Iotlb iotlb = migrate(variant, dpdk);

    assertThat(iotlb.toldEarly()).isEqualTo(MAPPINGS);
    assertThat(iotlb.toldInWindow()).isZero();
    assertAllWasTold(iotlb, dpdk);
  }

  /** Such a back end might start a ring at its address, so all is told in the window. */
  @ParameterizedTest
  @CsvSource({"IMPLICIT, false", "IMPLICIT, true"})
  void anUnknownBackEndIsToldInTheWindow(Variant variant, boolean dpdk) {
    RunResult.Iotlb iotlb = migrate(variant, dpdk);

    assertThat(iotlb.toldEarly()).isZero();
    assertThat(iotlb.toldInWindow()).isEqualTo(MAPPINGS);
    assertAllWasTold(iotlb, dpdk);
  }

  @ParameterizedTest
  @CsvSource({"OFF, false", "OFF, true", "OFF_PIPELINED, false", "OFF_PIPELINED, true"})
  void withoutPresetupEachPageIsAskedFor(Variant variant, boolean dpdk) {
    RunResult.Iotlb iotlb = migrate(variant, dpdk);

    assertThat(iotlb.toldEarly()).isZero();
    assertThat(iotlb.toldInWindow()).as("rings").isBetween(DEVICES * 2L, DEVICES * 6L);
    assertThat(iotlb.missesInWindow() + iotlb.missesAfter())
        .as("once a page, and of rings")
        .isBetween(PAGES_OF_ANSWERS, MAPPINGS + DEVICES * 6L);
    if (!dpdk) {
      assertThat(iotlb.framesLost()).isPositive();
    }
  }

  /** The guest may map a page at the last moment, for example to receive into it. */
  @Test
  void whatIsMappedJustBeforeTheStopIsToldInTheWindow() throws Exception {
    var ledger = DescriptorLedger.tracing();
    var page = new Translation(1L << 50, 0xf00000, 4096, Access.READ_WRITE);
    ScenarioOptions dpdkLike =
        ScenarioOptions.of(Variant.IMPLICIT_DPDK)
            .sized(1, 1, 16 << 20)
            .with(null, Personality.DPDK, BackEndProfile.DPDK)
            .behindIommu();
    try (var migration = new StillMigration(ledger, dpdkLike)) {
      FutureTask<DestinationReport> arriving = migration.arrive(PresetupMode.IMPLICIT);
      migration
          .departure(
              true,
              phase -> {
                if (phase == Phase.STOP) {
                  migration.hosts().source.iommu(0).map(page);
                  migration.left().iotlbUpdate(page.iova(), page.length());
                  migration.target().takeIommus(migration.hosts().source);
                }
              })
          .run();

      DestinationReport arrived = arriving.get(20, TimeUnit.SECONDS);
      assertThat(arrived.starts().getFirst().fallback()).isNull();
      assertThat(arrived.starts().getFirst().plan().steps())
          .extracting(PlannedStep::step)
          .filteredOn(Step.Translate.class::isInstance)
          .singleElement()
          .isEqualTo(new Step.Translate(page, migration.target().memory().table()));
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
