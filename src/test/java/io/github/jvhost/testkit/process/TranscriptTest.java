package io.github.jvhost.testkit.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class TranscriptTest {
  private final Transcript transcript = new Transcript();

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(30));
  }

  private void print(String text) {
    transcript.append(text.toCharArray(), text.length());
  }

  @Test
  void returnsWhatStandsBeforeTheText() {
    print("banner\ntestpmd> ");

    assertThat(transcript.awaitText("testpmd> ", 0, soon(), "start")).isEqualTo("banner\n");
  }

  @Test
  void doesNotFindATextBeforeThePosition() {
    print("testpmd> ");
    long from = transcript.position();
    print("start\r\nforwarding\ntestpmd> ");

    assertThat(transcript.awaitText("testpmd> ", from, soon(), "start"))
        .isEqualTo("start\nforwarding\n");
  }

  @Test
  void findsATextThatArrivesInPiecesWhileItWaits() {
    print("answer test");
    var answer =
        CompletableFuture.supplyAsync(() -> transcript.awaitText("testpmd> ", 0, soon(), "start"));
    print("pm");
    print("d> ");

    assertThat(answer.join()).isEqualTo("answer ");
  }

  @Test
  void positionsStayRightWhenTheFrontIsForgotten() {
    for (int i = 0; i < 20_000; i++) {
      print("a line of about thirty bytes.\n");
    }
    long from = transcript.position();
    print("answer testpmd> ");

    assertThat(transcript.text()).hasSizeLessThanOrEqualTo(1 << 19);
    assertThat(from).isEqualTo(600_000);
    assertThat(transcript.awaitText("testpmd> ", from, soon(), "start")).isEqualTo("answer ");
  }

  @Test
  void saysWhatTheProcessPrintedLastWhenItEnds() {
    print("one\ntwo\n\nEAL: no such device\n");
    transcript.end();

    assertThatThrownBy(() -> transcript.awaitText("testpmd> ", 0, soon(), "starting it"))
        .isInstanceOf(VhostException.class)
        .hasMessage("starting it: the process ended; it printed: one | two | EAL: no such device");
  }

  @Test
  void givesUpAtTheDeadline() {
    var passed = Deadline.after(Duration.ZERO);

    assertThatThrownBy(() -> transcript.awaitText("testpmd> ", 0, passed, "starting it"))
        .isInstanceOf(VhostException.class)
        .hasMessage("starting it: no answer within PT0S; it printed nothing");
  }
}
