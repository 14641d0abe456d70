package io.github.jvhost.memory;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;

/**
 * Hunts for pages that get lost between writers who write and mark, and a collector who takes the
 * marks and copies. No page is written again before its copy has caught up, so that one lost mark
 * leaves that page behind for good.
 */
final class LostPages {
  private static final int WRITERS = 3;
  private static final int ATTEMPTS = 1_500_000;

  private LostPages() {}

  /**
   * Runs writers against the collector, which is the calling thread.
   *
   * @param pages how many there are; few, so that all meet in the same words
   * @param mark marks the page of that number
   * @param collect takes all marks and hands the guest address of each to the consumer
   * @return the pages whose last write never reached the copy
   */
  static List<Integer> hunt(int pages, IntConsumer mark, Consumer<LongConsumer> collect)
      throws InterruptedException {
    AtomicIntegerArray memory = new AtomicIntegerArray(pages);
    AtomicIntegerArray copy = new AtomicIntegerArray(pages);
    AtomicInteger running = new AtomicInteger(WRITERS);
    List<Thread> threads = new ArrayList<>();
    for (int w = 0; w < WRITERS; w++) {
      int writer = w;
      Runnable write =
          () -> {
            try {
              write(writer, memory, copy, mark);
            } finally {
              running.decrementAndGet();
            }
          };
      threads.add(Thread.ofPlatform().start(write));
    }
    boolean last;
    do {
      last = running.get() == 0;
      collect.accept(gpa -> {
        int page = (int) (gpa / MemoryRegion.PAGE);
        copy.set(page, memory.get(page));
      });
    } while (!last);
    for (Thread thread : threads) {
      thread.join();
    }
    List<Integer> lost = new ArrayList<>();
    for (int page = 0; page < pages; page++) {
      if (memory.get(page) == 0 || copy.get(page) != memory.get(page)) {
        lost.add(page);
      }
    }
    return lost;
  }

  private static void write(
      int writer, AtomicIntegerArray memory, AtomicIntegerArray copy, IntConsumer mark) {
    int page = writer;
    for (int i = 0; i < ATTEMPTS; i++) {
      if (copy.get(page) == memory.get(page)) {
        memory.incrementAndGet(page);
        mark.accept(page);
      }
      page = page + WRITERS < memory.length() ? page + WRITERS : writer;
    }
  }
}
