package io.github.jvhost.sys;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class DeadlineTest {
  @Test
  void timeThatIsLeftOnlyGrowsLess() {
    Deadline deadline = Deadline.after(Duration.ofHours(1));
    long first = deadline.remainingNanos();
    long second = deadline.remainingNanos();
    assertThat(first).isPositive().isLessThanOrEqualTo(TimeUnit.HOURS.toNanos(1));
    assertThat(second).isLessThanOrEqualTo(first);
    assertThat(deadline.expired()).isFalse();
    assertThat(deadline.allowed()).isEqualTo(Duration.ofHours(1));
  }

  @Test
  void nothingAllowedIsOverAtOnce() {
    Deadline now = Deadline.in(0, TimeUnit.SECONDS);
    assertThat(now.expired()).isTrue();
    assertThat(now.remainingNanos()).isZero();
  }

  @Test
  void thereIsNoDeadlineInThePastNorOneThatNeverComes() {
    assertThatThrownBy(() -> Deadline.in(-1, TimeUnit.NANOSECONDS))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Deadline.in(Long.MAX_VALUE, TimeUnit.DAYS))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Deadline.after(Duration.ofSeconds(Long.MAX_VALUE)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
