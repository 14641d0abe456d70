package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class DirtyBitmapTest {
  private static final long PAGE = MemoryRegion.PAGE;
  private static final int PAGES = 1000;

  @Test
  void aMarkCoversEveryPageThatItTouches() {
    DirtyBitmap dirty = new DirtyBitmap(PAGES * PAGE - 1);
    dirty.mark(PAGE - 1, 1);
    dirty.mark(3 * PAGE - 1, 2);
    dirty.mark(64 * PAGE, 64 * PAGE); // exactly one word
    dirty.mark(5 * PAGE, 0);
    assertThat(dirty.count()).isEqualTo(1 + 2 + 64);
    assertThat(dirty.isMarked(0)).isTrue();
    assertThat(dirty.isMarked(PAGE)).isFalse();
    assertThat(dirty.isMarked(2 * PAGE)).isTrue();
    assertThat(dirty.isMarked(3 * PAGE + 5)).isTrue();
    assertThat(dirty.isMarked(63 * PAGE)).isFalse();
    assertThat(dirty.isMarked(64 * PAGE)).isTrue();
    assertThat(dirty.isMarked(127 * PAGE)).isTrue();
    assertThat(dirty.isMarked(128 * PAGE)).isFalse();
    assertThat(dirty.isMarked(-1)).isFalse();
    assertThat(dirty.isMarked(Long.MAX_VALUE)).isFalse();
  }

  @Test
  void itCoversWholeWordsAndRefusesWhatLiesBeyond() {
    long word = 64 * PAGE;
    assertThat(new DirtyBitmap(-1).highestAddress()).isEqualTo(word - 1);
    assertThat(new DirtyBitmap(word - 1).highestAddress()).isEqualTo(word - 1);
    DirtyBitmap two = new DirtyBitmap(word);
    assertThat(two.highestAddress()).isEqualTo(2 * word - 1);
    two.mark(2 * word - 1, 1);
    long[][] wrong = {{2 * word, 1}, {2 * word - 1, 2}, {-1, 1}, {0, Long.MAX_VALUE}};
    for (long[] w : wrong) {
      assertThatThrownBy(() -> two.mark(w[0], w[1])).isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(two.count()).isEqualTo(1);
    assertThatThrownBy(() -> new DirtyBitmap(-2)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DirtyBitmap(Long.MAX_VALUE))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aLargerBitmapIsNotSqueezedIntoASmallerOne() {
    DirtyBitmap small = new DirtyBitmap(0);
    DirtyBitmap large = new DirtyBitmap(PAGES * PAGE);
    large.mark(0, 1);
    assertThatThrownBy(() -> large.drainInto(small)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> small.merge(large)).isInstanceOf(IllegalArgumentException.class);
    assertThat(large.count()).isEqualTo(1);
    assertThat(small.count()).isZero();
  }

  @Test
  void itBehavesAsASetOfPages() {
    for (long seed = 1; seed <= 100; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      DirtyBitmap[] bitmaps = {new DirtyBitmap(PAGES * PAGE - 1), new DirtyBitmap(PAGES * PAGE)};
      BitSet[] models = {new BitSet(), new BitSet()};
      for (int i = 0; i < 200; i++) {
        String as = "seed " + seed + ", operation " + i;
        int which = random.nextInt(2);
        DirtyBitmap bitmap = bitmaps[which];
        BitSet model = models[which];
        switch (random.nextInt(12)) {
          case 0 -> {
            assertThat(bitmaps[0].drainInto(bitmaps[1])).as(as).isEqualTo(models[0].cardinality());
            models[1].or(models[0]);
            models[0].clear();
          }
          case 1 -> {
            bitmaps[1].merge(bitmaps[0]);
            models[1].or(models[0]);
          }
          case 2 -> {
            BitSet drained = new BitSet();
            long pages = bitmap.drain(gpa -> drained.set((int) (gpa / PAGE)));
            assertThat(pages).as(as).isEqualTo(model.cardinality());
            assertThat(drained).as(as).isEqualTo(model);
            model.clear();
          }
          case 3 -> {
            bitmap.clear();
            model.clear();
          }
          default -> {
            long gpa = random.nextLong(PAGES * PAGE);
            long length = 1 + random.nextLong(Math.min(PAGES * PAGE - gpa, 200 * PAGE));
            bitmap.mark(gpa, length);
            model.set((int) (gpa / PAGE), (int) ((gpa + length - 1) / PAGE) + 1);
          }
        }
        for (int b = 0; b < 2; b++) {
          assertThat(asSet(bitmaps[b])).as(as).isEqualTo(models[b]);
          assertThat(bitmaps[b].count()).as(as).isEqualTo(models[b].cardinality());
        }
      }
    }
  }

  @Test
  void noPageIsLostBetweenMarkersAndACollector() throws InterruptedException {
    int pages = 63; // one word, a share for each writer
    DirtyBitmap dirty = new DirtyBitmap(pages * PAGE - 1);
    DirtyBitmap collected = new DirtyBitmap(pages * PAGE - 1);
    assertThat(
            LostPages.hunt(
                pages,
                page -> dirty.mark(page * PAGE, PAGE),
                copy -> {
                  dirty.drainInto(collected);
                  collected.drain(copy);
                }))
        .isEmpty();
  }

  @Test
  void marksOfSeveralThreadsInOneWordDoNotUndoEachOther() throws InterruptedException {
    int pages = 1 << 20;
    DirtyBitmap dirty = new DirtyBitmap(pages * PAGE - 1);
    for (int round = 0; round < 10; round++) {
      Thread[] threads = new Thread[2];
      for (int t = 0; t < threads.length; t++) {
        int first = t;
        threads[t] =
            Thread.ofPlatform()
                .start(() -> {
                  for (int page = first; page < pages; page += threads.length) {
                    dirty.mark(page * PAGE, 1);
                  }
                });
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(dirty.count()).isEqualTo(pages);
      dirty.clear();
    }
  }

  private static BitSet asSet(DirtyBitmap bitmap) {
    BitSet set = new BitSet();
    bitmap.forEachDirtyPage(gpa -> set.set((int) (gpa / PAGE)));
    return set;
  }

  @Test
  void aBitmapAsKvmGivesItIsMarkedWhereItsMemoryLies() {
    var random = new SplittableRandom(5);
    for (int round = 0; round < 50; round++) {
      long first = random.nextInt(130);
      long[] slot = {random.nextLong(), 0, -1L, 0x5555_0000_ffff_aaaaL, 1L << 63, 1};
      DirtyBitmap dirty = new DirtyBitmap(PAGES * PAGE - 1);
      dirty.markPages(first * PAGE, slot);
      BitSet expected = BitSet.valueOf(slot);
      for (int page = 0; page < PAGES; page++) {
        assertThat(dirty.isMarked(page * PAGE))
            .isEqualTo(page >= first && expected.get((int) (page - first)));
      }
    }
  }

  @Test
  void pagesThatAreNoneOrLieBeyondAreRefused() {
    DirtyBitmap dirty = new DirtyBitmap(64 * PAGE - 1);
    assertThatThrownBy(() -> dirty.markPages(1, new long[] {1}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> dirty.markPages(PAGE, new long[] {1L << 63}))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
