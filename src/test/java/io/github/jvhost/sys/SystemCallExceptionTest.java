package io.github.jvhost.sys;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.sys.io.Linux;
import org.junit.jupiter.api.Test;

class SystemCallExceptionTest {
  @Test
  void aShortageMayPassAndARefusalDoesNot() {
    int emfile = 24;
    assertThat(new SystemCallException("open", "eventfd", emfile).recovery())
        .isEqualTo(Recovery.RETRY);
    assertThat(new SystemCallException("open", "eventfd", Linux.EINVAL).recovery())
        .isEqualTo(Recovery.GIVE_UP);
  }

  @Test
  void resultsPassAndNegatedErrnosAreThrown() {
    assertThat(Linux.check(0, "do", "call")).isZero();
    assertThat(Linux.check(Long.MAX_VALUE, "do", "call")).isEqualTo(Long.MAX_VALUE);
    assertThatThrownBy(() -> Linux.check(-Linux.EAGAIN, "do it", "call"))
        .hasMessage("do it: call failed with EAGAIN (would block, or too much locked memory)");
    assertThatThrownBy(() -> Linux.check(-133, "do it", "call"))
        .hasMessage("do it: call failed with errno 133");
  }

  @Test
  void whatAWrongDescriptorBringsIsSaidInWords() {
    for (int errno : new int[] {2, 9, 16, 17, 22, 29, 38, 88, 90, 95, 105, 107, 109, 111}) {
      assertThat(new SystemCallException("do it", "call", errno))
          .hasMessageMatching("do it: call failed with E[A-Z]+ [(][a-z ,]+[)]");
    }
  }
}
