package io.github.jvhost.memory;

import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A back end with several threads that mark pages in a log through a mapping of its own, each page
 * once in a round, while the log is collected and exchanged for another one.
 *
 * <pre>
 *   markers    OR bit of page ... OR ... | the back end answers SET_LOG_BASE | OR ... in the new log
 *   collector  collectInto, collectInto,   resizedFor -> tell -> retireInto
 * </pre>
 */
final class SwitchedLogs implements AutoCloseable {
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();
  private static final int MARKERS = 3;
  private static final Duration LONGEST = Duration.ofMinutes(2);

  private final ReentrantReadWriteLock mapped = new ReentrantReadWriteLock();
  private MemoryFile file;
  private Mapping bits;

  SwitchedLogs(DirtyLog log) {
    file = MemoryFile.adopt(log.descriptor().duplicate());
    bits = file.map(0, log.size());
  }

  /** SET_LOG_BASE: when this returns, as the answer does, nothing is marked in the old log. */
  void tell(DirtyLog log) {
    mapped.writeLock().lock();
    try {
      close();
      file = MemoryFile.adopt(log.descriptor().duplicate());
      bits = file.map(0, log.size());
    } finally {
      mapped.writeLock().unlock();
    }
  }

  private void mark(int page) {
    mapped.readLock().lock();
    try {
      WORD.getAndBitwiseOr(bits.segment(), page / 32 * 4L, 1 << page % 32);
    } finally {
      mapped.readLock().unlock();
    }
  }

  /**
   * Marks every page {@code rounds} times and counts what arrives.
   *
   * @return how often each page was collected; every mark of a page waits until the one before was
   *     collected, so that none may be missing
   */
  AtomicIntegerArray run(int pages, int rounds, Collector collector) throws InterruptedException {
    AtomicIntegerArray collected = new AtomicIntegerArray(pages);
    AtomicInteger running = new AtomicInteger(MARKERS);
    List<Thread> markers = new ArrayList<>();
    long start = System.nanoTime();
    for (int m = 0; m < MARKERS; m++) {
      int first = m;
      Runnable marker =
          () -> {
            try {
              markAll(first, pages, rounds, collected, start);
            } finally {
              running.decrementAndGet();
            }
          };
      markers.add(Thread.ofPlatform().daemon().start(marker));
    }
    boolean last;
    int turn = 0;
    do {
      last = running.get() == 0;
      collector.collect(turn++, collected);
    } while (!last);
    for (Thread marker : markers) {
      marker.join();
    }
    return collected;
  }

  private void markAll(int first, int pages, int rounds, AtomicIntegerArray collected, long start) {
    for (int round = 0; round < rounds; round++) {
      for (int page = first; page < pages; page += MARKERS) {
        // A lost mark would hold the marker here until its time is over, and show as a page that
        // was collected too seldom.
        while (collected.get(page) < round) {
          if (System.nanoTime() - start > LONGEST.toNanos()) {
            return;
          }
          Thread.onSpinWait();
        }
        mark(page);
      }
    }
  }

  @Override
  public void close() {
    bits.close();
    file.close();
  }

  /** What the front end does in each turn. */
  interface Collector {
    void collect(int turn, AtomicIntegerArray collected);
  }
}
