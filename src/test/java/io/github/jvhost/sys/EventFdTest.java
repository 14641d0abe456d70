package io.github.jvhost.sys;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.io.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventFdTest {
  private static final long FULL = -2L; // the largest value that the counter takes: 2^64 - 2

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void itCountsSignalsUntilItIsDrained() {
    try (EventFd e = EventFd.create(ledger, "test")) {
      assertThat(e.drain()).isZero();
      e.signal();
      e.signal();
      e.signal();
      assertThat(e.drain()).isEqualTo(3);
      assertThat(e.drain()).isZero();
    }
  }

  @Test
  void aSignalReachesWhoHoldsADuplicate() {
    try (EventFd mine = EventFd.create(ledger, "test");
        EventFd theirs = EventFd.adopt(mine.descriptor().duplicate())) {
      mine.signal();
      assertThat(theirs.drain()).isEqualTo(1);
      assertThat(mine.drain()).isZero();
    }
  }

  @Test
  void aFullCounterIsSignalledAlreadyAndDoesNotBlock() {
    try (EventFd e = EventFd.create(ledger, "test")) {
      fill(e);
      e.signal();
      assertThat(e.drain()).isEqualTo(FULL);
    }
  }

  @Test
  void anAdoptedOneThatBlocksIsMadeNonBlocking() {
    OwnedDescriptor foreign = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "foreign");
    int flags = Linux.fcntl(foreign.number(), Linux.F_GETFL, 0);
    assertThat(Linux.fcntl(foreign.number(), Linux.F_SETFL, flags & ~Linux.O_NONBLOCK)).isZero();
    try (EventFd e = EventFd.adopt(foreign)) {
      int now = Linux.fcntl(foreign.number(), Linux.F_GETFL, 0);
      assertThat(now & Linux.O_NONBLOCK).isNotZero(); // or the next line would never return
      assertThat(e.drain()).isZero();
      fill(e);
      e.signal();
    }
  }

  @Test
  void closedItNeitherSignalsNorDrains() {
    EventFd e = EventFd.create(ledger, "test");
    e.close();
    e.close();
    assertThatThrownBy(e::signal).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(e::drain).isInstanceOf(IllegalStateException.class);
    OwnedDescriptor gone = e.descriptor();
    assertThatThrownBy(() -> EventFd.adopt(gone)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void noSignalOfManyThreadsIsLost() throws InterruptedException {
    int each = 5_000;
    AtomicLong drained = new AtomicLong();
    try (EventFd e = EventFd.create(ledger, "test")) {
      Thread[] threads = new Thread[4];
      for (int t = 0; t < threads.length; t++) {
        boolean drains = t == 0;
        threads[t] =
            Thread.ofPlatform()
                .start(() -> {
                  for (int i = 0; i < each; i++) {
                    if (drains) {
                      drained.addAndGet(e.drain());
                    } else {
                      e.signal();
                    }
                  }
                });
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(drained.get() + e.drain()).isEqualTo(3L * each);
    }
  }

  private static void fill(EventFd e) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, FULL);
      MemorySegment state = arena.allocate(Linux.CALL_STATE);
      assertThat(Linux.write(state, e.descriptor().number(), value)).isEqualTo(Long.BYTES);
    }
  }

  @Test
  void whoAwaitsItIsWokenAndFindsItCleared() {
    try (EventFd e = EventFd.create(ledger, "test");
        EventFd theirs = EventFd.adopt(e.descriptor().duplicate())) {
      assertThat(e.await(Deadline.after(Duration.ZERO))).isZero();
      Thread.startVirtualThread(theirs::signal);
      assertThat(e.await(Deadline.after(Duration.ofSeconds(30)))).isEqualTo(1);
      assertThat(e.drain()).isZero();
    }
  }
}
