package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** When a back end that has gone is tried again. */
class ReconnectPolicyTest {
  @Test
  void never() {
    assertThat(new ReconnectPolicy.Never().delayBefore(1)).isEmpty();
  }

  @Test
  void alwaysTheSame() {
    var policy = new ReconnectPolicy.Fixed(Duration.ofMillis(20), 3);
    assertThat(policy.delayBefore(1)).contains(Duration.ofMillis(20));
    assertThat(policy.delayBefore(3)).contains(Duration.ofMillis(20));
    assertThat(policy.delayBefore(4)).isEmpty();
    assertThat(new ReconnectPolicy.Fixed(Duration.ofMillis(20), 0).delayBefore(1_000_000))
        .isPresent();
  }

  @Test
  void longerEachTimeUpToALimit() {
    var policy = new ReconnectPolicy.BackOff(Duration.ofMillis(10), Duration.ofMillis(65), 100);
    assertThat(policy.delayBefore(1)).contains(Duration.ofMillis(10));
    assertThat(policy.delayBefore(2)).contains(Duration.ofMillis(20));
    assertThat(policy.delayBefore(3)).contains(Duration.ofMillis(40));
    assertThat(policy.delayBefore(4)).contains(Duration.ofMillis(65));
    assertThat(policy.delayBefore(100)).contains(Duration.ofMillis(65));
    assertThat(policy.delayBefore(101)).isEmpty();
  }

  @Test
  void nonsense() {
    assertThatThrownBy(() -> new ReconnectPolicy.Fixed(Duration.ZERO, 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new ReconnectPolicy.Fixed(Duration.ofMillis(1), -1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> new ReconnectPolicy.BackOff(Duration.ofMillis(2), Duration.ofMillis(1), 1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
