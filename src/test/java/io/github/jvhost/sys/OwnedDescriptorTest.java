package io.github.jvhost.sys;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.sys.io.Linux;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OwnedDescriptorTest {
  private static final int F_GETFD = 1;

  private final DescriptorLedger ledger = DescriptorLedger.counting();

  @Test
  void anAdoptedDescriptorIsCloseOnExecAndWrittenDown() {
    int open = Linux.eventfd();
    assertThat(Linux.fcntl(open, Linux.F_SETFD, 0)).isZero();

    try (OwnedDescriptor d = OwnedDescriptor.adopt(ledger, open, "test")) {
      assertThat(d.number()).isEqualTo(open);
      assertThat(Linux.fcntl(open, F_GETFD, 0)).isEqualTo(Linux.FD_CLOEXEC);
      assertThat(ledger.openCount()).isEqualTo(1);
    }
    assertThat(ledger.openCount()).isZero();
    assertThat(Linux.fcntl(open, F_GETFD, 0)).isEqualTo(-Linux.EBADF);
  }

  @Test
  void aDuplicateIsTheSameFileUnderAnotherNumberAndOutlivesTheFirst() {
    OwnedDescriptor first = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test");
    try (OwnedDescriptor second = first.duplicate()) {
      assertThat(second).isEqualTo(first).hasSameHashCodeAs(first);
      assertThat(second.number()).isNotEqualTo(first.number());
      assertThat(second.identity()).isEqualTo(first.identity());
      assertThat(Linux.fcntl(second.number(), F_GETFD, 0)).isEqualTo(Linux.FD_CLOEXEC);
      assertThat(ledger.openCount()).isEqualTo(2);

      first.close();
      assertThat(second.isOpen()).isTrue();
      assertThat(second).isEqualTo(first);
      assertThat(ledger.openCount()).isEqualTo(1);
    }
    assertThat(ledger.openCount()).isZero();
  }

  @Test
  void aDuplicateOfAForeignNumberIsAnotherFileAndLeavesTheForeignOneOpen() {
    try (OwnedDescriptor mine = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test")) {
      try (OwnedDescriptor received = OwnedDescriptor.duplicateOf(ledger, mine.number(), "test")) {
        assertThat(received).isNotEqualTo(mine);
        assertThat(Linux.fcntl(received.number(), F_GETFD, 0)).isEqualTo(Linux.FD_CLOEXEC);
      }
      assertThat(Linux.fcntl(mine.number(), F_GETFD, 0)).isEqualTo(Linux.FD_CLOEXEC);
    }
  }

  @Test
  void aNumberThatIsUsedAgainIsStillAnotherFile() {
    OwnedDescriptor first = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test");
    first.close();
    try (OwnedDescriptor second = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test")) {
      assertThat(second).isNotEqualTo(first);
    }
  }

  @Test
  void aNumberThatIsNotOpenIsRefusedAndNotWrittenDown() {
    assertThatThrownBy(() -> OwnedDescriptor.adopt(ledger, -1, "nothing"))
        .isInstanceOfSatisfying(
            SystemCallException.class,
            e -> {
              assertThat(e.call()).isEqualTo("fcntl");
              assertThat(e.errno()).isEqualTo(Linux.EBADF);
              assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP);
            })
        .hasMessageContaining("take over nothing (fd -1): fcntl failed with EBADF");
    assertThatThrownBy(() -> OwnedDescriptor.duplicateOf(ledger, -1, "nothing"))
        .isInstanceOf(SystemCallException.class);
    assertThat(ledger.openCount()).isZero();
  }

  @Test
  void aClosedDescriptorHasNoNumberAndClosesQuietly() {
    OwnedDescriptor d = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test");
    d.close();
    d.close();
    assertThat(d.isOpen()).isFalse();
    assertThatThrownBy(d::number)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("test is closed");
    assertThatThrownBy(d::duplicate).isInstanceOf(IllegalStateException.class);
    assertThat(d).hasToString(d.identity() + " (closed)");
  }

  @Test
  void aCloseBehindItsBackIsReported() {
    OwnedDescriptor d = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test");
    // A number far up, where nothing else of this JVM lands before the second close.
    int far = Linux.fcntl(d.number(), Linux.F_DUPFD_CLOEXEC, 900);
    OwnedDescriptor robbed = OwnedDescriptor.adopt(ledger, far, "robbed");
    assertThat(Linux.close(far)).isZero();
    assertThatThrownBy(robbed::close)
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("close robbed");
    d.close();
    assertThat(ledger.openCount()).isZero();
  }

  @Test
  void closedByTwoThreadsAtOnceItIsClosedOnce() throws InterruptedException {
    int rounds = 2_000;
    AtomicReference<@Nullable OwnedDescriptor> next = new AtomicReference<>();
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Thread other =
        Thread.ofPlatform()
            .start(() -> {
              for (int round = 0; round < rounds; round++) {
                OwnedDescriptor d = next.getAndSet(null);
                while (d == null) {
                  Thread.onSpinWait();
                  d = next.getAndSet(null);
                }
                closeQuietly(d, failure);
              }
            });
    for (int round = 0; round < rounds; round++) {
      OwnedDescriptor d = OwnedDescriptor.adopt(ledger, Linux.eventfd(), "test");
      next.set(d);
      for (int i = 0; i < round % 16; i++) {
        Thread.onSpinWait();
      }
      closeQuietly(d, failure); // a second close of the number would answer EBADF
      while (next.get() != null) {
        Thread.onSpinWait();
      }
    }
    other.join();
    assertThat(failure.get()).isNull();
    assertThat(ledger.openCount()).isZero();
  }

  private static void closeQuietly(
      OwnedDescriptor d, AtomicReference<@Nullable Throwable> failure) {
    try {
      d.close();
    } catch (RuntimeException e) {
      failure.set(e);
    }
  }
}
