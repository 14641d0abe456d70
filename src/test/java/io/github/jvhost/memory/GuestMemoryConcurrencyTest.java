package io.github.jvhost.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Regions come and go under the hands of threads that access them. */
class GuestMemoryConcurrencyTest {
  private static final long PAGE = MemoryRegion.PAGE;
  private static final int REGIONS = 8;
  private static final int CHANGES = 3_000;
  private static final int ACCESSES = 200_000;
  private static final Duration LONGEST = Duration.ofMinutes(2);

  private final DescriptorLedger ledger = DescriptorLedger.counting();
  private final ConcurrentLinkedQueue<Throwable> wrong = new ConcurrentLinkedQueue<>();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /**
   * The page of region r at guest address r holds r's number throughout, in a file that stays. An
   * access finds it, or is told that the region is gone; there is no third thing.
   */
  @Test
  void anAccessFindsItsRegionOrIsTold() throws InterruptedException {
    AtomicBoolean done = new AtomicBoolean();
    AtomicLong found = new AtomicLong();
    try (MemoryFile file = MemoryFile.create(ledger, "ram", REGIONS * PAGE);
        GuestMemory memory = GuestMemory.builder(ledger).build()) {
      for (int r = 0; r < REGIONS; r++) {
        add(memory, file, r);
        memory.putLong(gpa(r) + 8, r);
      }
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 2; t++) {
        long seed = t;
        threads.add(start(() -> access(memory, new SplittableRandom(seed), done, found)));
      }
      threads.add(
          start(() -> {
            try {
              change(memory, file, new SplittableRandom(99));
            } finally {
              done.set(true);
            }
          }));
      join(threads);
      assertThat(wrong).isEmpty();
      assertThat(found.get()).isPositive();
      assertThat(ledger.openCount()).isEqualTo(2);
      for (int r = 0; r < REGIONS; r++) {
        assertThat(memory.getLong(gpa(r) + 8)).isEqualTo(r);
      }
    }
  }

  private static long gpa(int region) {
    return 3L * region * PAGE;
  }

  private static void add(GuestMemory memory, MemoryFile file, int r) {
    memory.addRegion("r" + r, gpa(r), PAGE, file.descriptor(), r * PAGE);
  }

  private static void change(GuestMemory memory, MemoryFile file, SplittableRandom random) {
    for (int i = 0; i < CHANGES; i++) {
      int r = random.nextInt(REGIONS);
      memory.removeRegion("r" + r);
      add(memory, file, r);
    }
  }

  private static void access(
      GuestMemory memory, SplittableRandom random, AtomicBoolean done, AtomicLong found) {
    for (int i = 0; i < ACCESSES && !done.get(); i++) {
      int r = random.nextInt(REGIONS);
      long at = gpa(r) + 8;
      try {
        long value =
            switch (random.nextInt(3)) {
              case 0 -> memory.getLong(at);
              case 1 -> {
                MemorySegment slice = memory.slice(at, 8);
                yield slice.get(ValueLayout.JAVA_LONG, 0);
              }
              default -> {
                memory.putLong(at, r);
                yield r;
              }
            };
        if (value != r) {
          throw new AssertionError("region " + r + " read as " + value);
        }
        found.incrementAndGet();
      } catch (GuestAddressException | IllegalStateException _) {
        // The region is being changed.
      }
      MemoryTable table = memory.table();
      if (table.regions().size() < REGIONS - 1 || table.regions().size() > REGIONS) {
        throw new AssertionError(table.toString());
      }
    }
  }

  /** Of threads that add the same region at the same time exactly one does. */
  @Test
  void oneOfManyAddsARegion() throws Exception {
    int threads = 3;
    try (GuestMemory memory = GuestMemory.builder(ledger).build()) {
      CyclicBarrier together = new CyclicBarrier(threads);
      AtomicLong added = new AtomicLong();
      List<Thread> all = new ArrayList<>();
      int rounds = 200;
      for (int t = 0; t < threads; t++) {
        all.add(
            start(() -> {
              for (int round = 0; round < rounds; round++) {
                meet(together);
                try {
                  memory.addRegion("r" + round, round * PAGE, PAGE);
                  added.incrementAndGet();
                } catch (IllegalArgumentException _) {
                  // Another thread was first.
                }
              }
            }));
      }
      join(all);
      assertThat(wrong).isEmpty();
      assertThat(added.get()).isEqualTo(rounds);
      assertThat(memory.table().regions()).hasSize(rounds);
      assertThat(ledger.openCount()).isEqualTo(rounds);
    }
  }

  private static void meet(CyclicBarrier barrier) {
    try {
      barrier.await(LONGEST.toSeconds(), TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private Thread start(Runnable work) {
    return Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            work.run();
          } catch (Throwable e) {
            wrong.add(e);
          }
        });
  }

  private static void join(List<Thread> threads) throws InterruptedException {
    for (Thread thread : threads) {
      assertThat(thread.join(LONGEST)).as("%s has ended", thread).isTrue();
    }
  }
}
