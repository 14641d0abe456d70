package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class PollerTest {
  private static final long LONG_ENOUGH = TimeUnit.MINUTES.toNanos(1);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void itTellsWhichOfSeveralIsReady() {
    try (EventFd a = EventFd.create(ledger, "a");
        EventFd b = EventFd.create(ledger, "b");
        Poller poller = new Poller(3)) {
      int first = poller.add(a.descriptor().number(), Poller.IN);
      int second = poller.add(b.descriptor().number(), Poller.IN);
      assertThat(poller.await(0)).isZero();

      b.signal();
      assertThat(poller.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(poller.ready(first)).isZero();
      assertThat(poller.ready(second)).isEqualTo(Poller.IN);

      b.drain();
      a.signal();
      assertThat(poller.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(poller.ready(first)).isEqualTo(Poller.IN);
      assertThat(poller.ready(second)).isZero();
    }
  }

  @Test
  void onlyWhatWasAskedForCounts() {
    try (EventFd e = EventFd.create(ledger, "e");
        Poller poller = new Poller(1)) {
      poller.add(e.descriptor().number(), Poller.IN | Poller.OUT);
      assertThat(poller.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(poller.ready(0)).isEqualTo(Poller.OUT);

      poller.clear();
      assertThatThrownBy(() -> poller.ready(0)).isInstanceOf(IndexOutOfBoundsException.class);
      poller.add(e.descriptor().number(), Poller.IN);
      assertThat(poller.await(0)).isZero();
      assertThat(poller.ready(0)).isZero();
    }
  }

  @Test
  @Timeout(60)
  void aWaitEndsWhenItsTimeHasPassedOrHadPassedBefore() {
    try (EventFd e = EventFd.create(ledger, "e");
        Poller poller = new Poller(1)) {
      poller.add(e.descriptor().number(), Poller.IN);
      assertThat(poller.await(1_000_000)).isZero();
      assertThat(poller.await(-5)).isZero();
      assertThat(poller.await(Long.MIN_VALUE)).isZero();
    }
  }

  @Test
  @Timeout(60)
  void aSignalOfAnotherThreadEndsTheWait() throws InterruptedException {
    try (EventFd ping = EventFd.create(ledger, "ping");
        EventFd pong = EventFd.create(ledger, "pong")) {
      int rounds = 1000;
      Thread other =
          Thread.ofPlatform()
              .start(() -> {
                try (Poller poller = new Poller(1)) {
                  poller.add(ping.descriptor().number(), Poller.IN);
                  for (int i = 0; i < rounds; i++) {
                    poller.await(LONG_ENOUGH);
                    ping.drain();
                    pong.signal();
                  }
                }
              });
      try (Poller poller = new Poller(1)) {
        poller.add(pong.descriptor().number(), Poller.IN);
        for (int i = 0; i < rounds; i++) {
          ping.signal();
          assertThat(poller.await(LONG_ENOUGH)).isEqualTo(1);
          assertThat(pong.drain()).isEqualTo(1);
        }
      }
      other.join();
    }
  }

  @Test
  void aClosedDescriptorIsReportedAndNotWaitedFor() {
    EventFd e = EventFd.create(ledger, "e");
    // A number far up, which nothing else of this JVM takes meanwhile.
    int far = Linux.fcntl(e.descriptor().number(), Linux.F_DUPFD_CLOEXEC, 950);
    e.close();
    assertThat(Linux.close(far)).isZero();
    try (Poller poller = new Poller(1)) {
      poller.add(far, Poller.IN);
      assertThat(poller.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(poller.ready(0)).isEqualTo(Poller.INVALID);
    }
  }

  @Test
  void aFullOrClosedOneRefuses() {
    assertThatThrownBy(() -> new Poller(0).close()).isInstanceOf(IllegalArgumentException.class);
    Poller poller = new Poller(1);
    poller.add(-1, Poller.IN);
    assertThatThrownBy(() -> poller.add(-1, Poller.IN)).isInstanceOf(IllegalStateException.class);
    poller.close();
    poller.close();
    assertThatThrownBy(() -> poller.await(0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void waitingSignallingAndDrainingAllocateNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    int rounds = 20_000;
    try (EventFd e = EventFd.create(ledger, "e");
        Poller poller = new Poller(1)) {
      long perRound = Long.MAX_VALUE;
      // Until the compiler has seen it there may be garbage; a loop that makes some for good never
      // gets to 0.
      for (int attempt = 0; attempt < 500 && perRound != 0; attempt++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < rounds; i++) {
          e.signal();
          poller.clear();
          poller.add(e.descriptor().number(), Poller.IN);
          poller.await(LONG_ENOUGH);
          e.drain();
        }
        perRound = (threads.getCurrentThreadAllocatedBytes() - before) / rounds;
      }
      assertThat(perRound).as("bytes per round").isZero();
    }
  }
}
