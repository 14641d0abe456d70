package io.github.jvhost.sys.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.SystemCallException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EpollTest {
  private static final long LONG_ENOUGH = TimeUnit.MINUTES.toNanos(1);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  @Test
  void eachIsReportedOnceUntilItIsWatchedAgain() {
    try (EventFd a = EventFd.create(ledger, "a");
        EventFd b = EventFd.create(ledger, "b");
        Epoll epoll = new Epoll()) {
      epoll.watch(a.descriptor().number(), 7);
      epoll.watch(b.descriptor().number(), 8);
      assertThat(epoll.await(0)).isZero();

      b.signal();
      assertThat(epoll.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(epoll.key(0)).isEqualTo(8);
      assertThat(epoll.await(0)).as("still readable, and reported").isZero();

      epoll.watch(b.descriptor().number(), 9);
      assertThat(epoll.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(epoll.key(0)).isEqualTo(9);
      assertThatThrownBy(() -> epoll.key(1)).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void roomToWriteIsReportedIfItIsAskedFor() {
    try (EventFd writable = EventFd.create(ledger, "writable");
        Epoll epoll = new Epoll()) {
      int number = writable.descriptor().number();
      epoll.watch(number, 7, true);
      assertThat(epoll.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(epoll.key(0)).isEqualTo(7);
      assertThat(epoll.await(0)).as("reported once").isZero();

      epoll.watch(number, 8);
      assertThat(epoll.await(0)).as("only input was asked for").isZero();
      writable.signal();
      assertThat(epoll.await(LONG_ENOUGH)).isEqualTo(1);
      assertThat(epoll.key(0)).isEqualTo(8);
    }
  }

  @Test
  void manyAreReportedInSeveralGoesAndNoneTwice() {
    List<EventFd> all = new ArrayList<>();
    try (Epoll epoll = new Epoll()) {
      for (int i = 0; i < 300; i++) {
        EventFd one = EventFd.create(ledger, "number " + i);
        all.add(one);
        epoll.watch(one.descriptor().number(), i);
        one.signal();
      }
      List<Integer> seen = new ArrayList<>();
      for (int ready = epoll.await(0); ready > 0; ready = epoll.await(0)) {
        for (int i = 0; i < ready; i++) {
          seen.add(epoll.key(i));
        }
      }
      assertThat(seen).hasSize(300).doesNotHaveDuplicates();
    } finally {
      all.forEach(EventFd::close);
    }
  }

  @Test
  void whatItsOwnerClosesIsForgottenAndWhatIsNotOpenIsRefused() {
    try (Epoll epoll = new Epoll()) {
      EventFd gone = EventFd.create(ledger, "gone");
      gone.signal();
      int number = gone.descriptor().number();
      epoll.watch(number, 1);
      gone.close();
      assertThat(epoll.await(0)).isZero();
      assertThatThrownBy(() -> epoll.watch(number, 1))
          .isInstanceOf(SystemCallException.class)
          .hasMessageContaining("EBADF");
    }
  }
}
