package io.github.jvhost.testkit.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ChildProcessTest {
  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(30));
  }

  private static List<String> script(String text) {
    return List.of("/bin/sh", "-c", text);
  }

  @Test
  void anInteractiveOneReadsItsInputAndEndsWithIt() {
    try (var child = ChildProcess.interactive("cat", List.of("cat"))) {
      child.type("good day");

      assertThat(child.transcript().awaitText("day", 0, soon(), "echo")).isEqualTo("good ");
      child.endInput();
      assertThat(child.awaitExit(soon())).isTrue();
      assertThat(child.exitValue()).isZero();
    }
  }

  @Test
  void aLeashedOneHasTheProcessIdThatItThinksAndIsKilledAtTheEndOfItsInput() {
    try (var child =
        ChildProcess.leashed(
            "sleeper", script("echo $X $$ .; exec sleep 1000"), Map.of("X", "is"))) {
      String said = child.transcript().awaitText(" .", 0, soon(), "start");
      assertThat(said).isEqualTo("is " + child.pid());

      child.endInput();

      assertThat(child.awaitExit(soon())).isTrue();
      assertThat(child.exitValue()).isEqualTo(128 + 9);
    }
  }

  @Test
  void aLeashedOneMayEndByItself() {
    try (var child = ChildProcess.leashed("failing", script("echo why; exit 3"), Map.of())) {
      assertThat(child.awaitExit(soon())).isTrue();
      child.awaitOutput();

      assertThat(child.exitValue()).isEqualTo(3);
      assertThat(child.transcript().text()).isEqualTo("why\n");
    }
  }

  /** A message about a failure that leaves out the reason helps nobody. */
  @Test
  void itsLastLinesAreReadToTheEndWhenItHasEnded() {
    try (var child =
        ChildProcess.interactive(
            "failing", script("yes | tr -d '\\n' | head -c 50000; echo; echo why; exit 3"))) {
      assertThat(child.awaitExit(soon())).isTrue();

      assertThat(child.lastLines()).endsWith(" | why");
    }
  }

  @Test
  void closingKillsItAndTheOneThatHoldsTheLeash() {
    var child = ChildProcess.leashed("sleeper", script("echo up; exec sleep 1000"), Map.of());
    child.transcript().awaitText("up", 0, soon(), "start");
    List<ProcessHandle> holders =
        ProcessHandle.of(child.pid()).orElseThrow().descendants().toList();
    assertThat(holders).isNotEmpty();

    child.close();
    child.close();

    assertThat(child.isAlive()).isFalse();
    for (ProcessHandle holder : holders) {
      assertThat(holder.onExit().orTimeout(30, java.util.concurrent.TimeUnit.SECONDS))
          .succeedsWithin(Duration.ofSeconds(30));
    }
  }

  @Test
  void saysWhatCouldNotBeStarted() {
    assertThatThrownBy(() -> ChildProcess.interactive("it", List.of("/nowhere/to/be/found")))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("starting it: ");
    assertThat(ChildProcess.find("no-such-program-anywhere")).isEmpty();
    assertThat(ChildProcess.find("sh")).isPresent();
  }
}
