package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Dirty pages in runs, as they are sent: joined, but never across the end of a region. */
class DirtyRunsTest {
  private static final long PAGE = 4096;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** Two regions that touch each other, a hole, and a third one. */
  private final GuestMemory memory =
      GuestMemory.builder(ledger)
          .region("a", 0, 100 * PAGE)
          .region("b", 100 * PAGE, 60 * PAGE)
          .region("c", 200 * PAGE, 100 * PAGE)
          .build();

  @AfterEach
  void close() {
    memory.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  private record Run(long page, long pages) {}

  private List<Run> runs(DirtyBitmap dirty, long longest) {
    List<Run> runs = new ArrayList<>();
    long pages =
        dirty.drainRuns(
            memory.table(),
            longest * PAGE,
            (at, bytes) -> runs.add(new Run(at / PAGE, bytes / PAGE)));
    assertThat(pages).isEqualTo(runs.stream().mapToLong(Run::pages).sum());
    assertThat(dirty.count()).isZero();
    return runs;
  }

  @Test
  void pagesThatFollowEachOtherAreOneRunInEachRegion() {
    DirtyBitmap dirty = new DirtyBitmap(400 * PAGE);
    dirty.mark(0, 400 * PAGE);

    assertThat(runs(dirty, 1000))
        .containsExactly(new Run(0, 100), new Run(100, 60), new Run(200, 100));
  }

  @Test
  void aRunIsNoLongerThanAskedFor() {
    DirtyBitmap dirty = new DirtyBitmap(400 * PAGE);
    dirty.mark(30 * PAGE, 70 * PAGE);

    assertThat(runs(dirty, 32)).containsExactly(new Run(30, 32), new Run(62, 32), new Run(94, 6));
    assertThatThrownBy(() -> dirty.drainRuns(memory.table(), 100, (_, _) -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("100 bytes");
  }

  @Test
  void runsAreThePagesThatWereMarkedWhereMemoryIs() {
    var random = new SplittableRandom(10);
    for (int round = 0; round < 500; round++) {
      DirtyBitmap dirty = new DirtyBitmap(400 * PAGE);
      BitSet expected = new BitSet();
      for (int i = 0; i < random.nextInt(12); i++) {
        long page = random.nextLong(390);
        long count = 1 + random.nextLong(Math.min(80, 399 - page));
        dirty.mark(page * PAGE, count * PAGE);
        expected.set((int) page, (int) (page + count));
      }
      expected.clear(160, 200);
      expected.clear(300, 500);
      long longest = 1 + random.nextLong(100);
      BitSet found = new BitSet();
      long before = -1;
      for (Run run : runs(dirty, longest)) {
        assertThat(run.page()).as("in order, and once").isGreaterThan(before);
        assertThat(run.pages()).isBetween(1L, longest);
        assertThat(memory.table().contains(run.page() * PAGE, run.pages() * PAGE)).isTrue();
        before = run.page() + run.pages() - 1;
        found.set((int) run.page(), (int) (before + 1));
      }
      assertThat(found).as("round %d", round).isEqualTo(expected);
    }
  }
}
