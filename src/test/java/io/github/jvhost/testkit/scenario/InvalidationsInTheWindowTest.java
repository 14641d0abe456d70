package io.github.jvhost.testkit.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.migration.DestinationReport;
import io.github.jvhost.migration.Phase;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Timeout;

/**
 * A guest migrates, and a thread of its VMM invalidates pages all the time: at the source until the
 * guest is gone, at the destination from the moment at which its IOMMU has its state.
 *
 * <pre>
 *   source        unmap, invalidate, map, update, ... | the guest pauses
 *   destination                     takes the IOMMU's state | unmap, invalidate each page
 *                                                        | start |
 * </pre>
 */
@Timeout(120)
class InvalidationsInTheWindowTest {
  private static final long PAGE = 4096;
  private static final int PAGES = 16;
  private static final long GUEST = 0xe00000;

  private static final ScenarioOptions DPDK_LIKE =
      ScenarioOptions.of(Variant.IMPLICIT_DPDK)
          .sized(1, 1, 16 << 20)
          .with(null, Personality.DPDK, BackEndProfile.DPDK)
          .behindIommu();

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** Guards what the source's guest has mapped against its pause. */
  private final Object guest = new Object();

  private boolean paused;

  /** Whether the source's thread is at work. */
  private final CountDownLatch invalidated = new CountDownLatch(PAGES);

  private static long iova(int page) {
    return (1L << 50) + 2L * page * PAGE;
  }

  private static void map(IommuTable iommu, int page) {
    iommu.map(iova(page), GUEST + page * PAGE, PAGE, Access.READ_WRITE);
  }

  /** Returns whether the guest ran still, so that it could do this. */
  private boolean inGuest(Runnable change) {
    synchronized (guest) {
      if (!paused) {
        change.run();
      }
      return !paused;
    }
  }

  /** Goes on until the guest pauses. A call that comes too late for this host is refused. */
  private @Nullable Void churn(IommuTable iommu, VhostNet net) {
    for (int page = 0; true; page = (page + 1) % PAGES) {
      int now = page;
      try {
        if (!inGuest(() -> iommu.unmap(iova(now), PAGE))) {
          return null;
        }
        net.iotlbInvalidate(iova(now), PAGE);
        invalidated.countDown();
        if (!inGuest(() -> map(iommu, now))) {
          return null;
        }
        net.iotlbUpdate(iova(now), PAGE);
      } catch (IllegalStateException e) {
        assertThat(e).hasMessageContaining("its guest was migrated");
        return null;
      }
    }
  }

  private static void unmapAll(IommuTable iommu, VhostNet net) {
    for (int page = 0; page < PAGES; page++) {
      iommu.unmap(iova(page), PAGE);
      net.iotlbInvalidate(iova(page), PAGE);
    }
  }

  private static <T> FutureTask<T> onThread(Callable<T> work) {
    var task = new FutureTask<>(work);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  @RepeatedTest(10)
  void whatIsUnmappedMeanwhileIsHeldByNobodyAfterIt() throws Exception {
    try (var migration = new StillMigration(ledger, DPDK_LIKE)) {
      IommuTable here = migration.hosts().source.iommu(0);
      IommuTable there = migration.target().iommu(0);
      for (int page = 0; page < PAGES; page++) {
        map(here, page);
      }
      migration.left().iotlbUpdate(iova(0), 2 * PAGES * PAGE);
      FutureTask<@Nullable Void> leaving = onThread(() -> churn(here, migration.left()));
      assertThat(invalidated.await(20, TimeUnit.SECONDS)).isTrue();
      var unmapping =
          new FutureTask<@Nullable Void>(() -> unmapAll(there, migration.arrived()), null);
      FutureTask<DestinationReport> arriving = migration.arrive(PresetupMode.IMPLICIT);

      migration
          .departure(
              true,
              phase -> {
                if (phase == Phase.STOP) {
                  inGuest(() -> paused = true);
                  migration.target().takeIommus(migration.hosts().source);
                  Thread.ofPlatform().daemon().start(unmapping);
                }
              })
          .run();

      DestinationReport arrived = arriving.get(20, TimeUnit.SECONDS);
      leaving.get(20, TimeUnit.SECONDS);
      unmapping.get(20, TimeUnit.SECONDS);
      assertThat(arrived.starts().getFirst().running()).isTrue();
      VhostNet net = migration.arrived();
      assertThat(net.running()).isTrue();
      assertThat(net.shadow().mayHoldTranslations(iova(0), iova(PAGES))).isFalse();
      MockBackEnd backEnd = migration.hosts().targetBackEnd();
      for (int ring = 0; ring < 2; ring++) {
        assertThat(backEnd.translations(ring))
            .as("ring %d", ring)
            .isNotEmpty()
            .noneMatch(held -> Long.compareUnsigned(held.iova(), iova(0)) >= 0);
      }
      assertThat(backEnd.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
