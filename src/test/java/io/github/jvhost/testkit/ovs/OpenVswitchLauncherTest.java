package io.github.jvhost.testkit.ovs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class OpenVswitchLauncherTest {
  @Test
  void refusesWhatTheSwitchCouldNotParse() {
    var builder = OpenVswitch.builder();

    assertThatThrownBy(() -> builder.port(Path.of("/" + "s".repeat(107))))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.port(Path.of("/run/\"")))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.queuePairs(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void givesUpAtItsDeadlineAndLeavesNothingRunning() {
    Optional<String> reason = OpenVswitch.available();
    assumeTrue(reason.isEmpty(), () -> reason.orElse(""));
    long before = children();
    var builder = OpenVswitch.builder().port(Path.of("/nowhere/to/be/found"));
    var passed = Deadline.after(Duration.ZERO);

    assertThatThrownBy(() -> builder.start(passed))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("starting Open vSwitch: ");

    assertThat(children()).isEqualTo(before);
  }

  private static long children() {
    return ProcessHandle.current().children().count();
  }
}
