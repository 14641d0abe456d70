package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ControlRequestTest {
  @Test
  void whatDocumentsShowIsRead() {
    assertThat(ControlRequest.parse("status")).isEqualTo(new ControlRequest.Status());
    assertThat(ControlRequest.parse("move net0 /run/b"))
        .isEqualTo(new ControlRequest.Move("net0", "/run/b", Duration.ofSeconds(60)));
    assertThat(ControlRequest.parse("move net0 listen:/run/b 3600"))
        .isEqualTo(new ControlRequest.Move("net0", "listen:/run/b", Duration.ofHours(1)));
    assertThat(ControlRequest.parse("standby net0 /run/b"))
        .isEqualTo(new ControlRequest.Standby("net0", "/run/b"));
    assertThat(ControlRequest.parse("standby net0 none"))
        .isEqualTo(new ControlRequest.Standby("net0", null));
  }

  @Test
  void aLineOfATerminalIsReadToo() {
    assertThat(ControlRequest.parse("status\r")).isEqualTo(new ControlRequest.Status());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "Status",
        "status ",
        "status net0",
        "move",
        "move net0",
        "move net0 none",
        "move net0 run/b",
        "move net0 listen:b",
        "standby net0 run/b",
        "move net0 /run/b 0",
        "move net0 /run/b 3601",
        "move net0 /run/b -1",
        "move net0 /run/b 99999999999999999999",
        "move net0 /run/b 1 2",
        "standby",
        "standby net0",
        "standby net0 /run/b 1",
        "stop net0"
      })
  void everythingElseIsRefusedWithASentence(String line) {
    assertThatThrownBy(() -> ControlRequest.parse(line))
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageNotContaining("null");
  }

  /** Words that mean something, in any order, and some that mean nothing. */
  @Test
  void noLineOfWordsDoesAnythingElse() {
    var random = new Random(18);
    List<String> words =
        List.of(
            "status", "move", "standby", "none", "net0", "/a", "", "7", "\u0000", "9999", "x y");
    int read = 0;
    for (int i = 0; i < 20_000; i++) {
      var line = new StringBuilder(words.get(random.nextInt(words.size())));
      for (int more = random.nextInt(5); more > 0; more--) {
        line.append(' ').append(words.get(random.nextInt(words.size())));
      }
      try {
        ControlRequest.parse(line.toString());
        read++;
      } catch (VhostException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
    }
    assertThat(read).isPositive();
  }
}
