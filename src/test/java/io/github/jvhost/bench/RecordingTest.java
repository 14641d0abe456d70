package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.bench.Recording.Talk;
import io.github.jvhost.bench.Recording.Told;
import java.util.List;
import org.junit.jupiter.api.Test;

/** In which writes a recorded window is sent. */
class RecordingTest {
  private static Told message(int bytes, int descriptors, int answers) {
    return new Told(new byte[bytes], descriptors, answers);
  }

  private static List<String> writes(Told... window) {
    return Talk.writes(List.of(window)).stream()
        .map(w -> "%d+%d?%d".formatted(w.bytes().length, w.descriptors(), w.answers()))
        .toList();
  }

  @Test
  void descriptorsBeginAWriteAndPlainMessagesRideBehind() {
    assertThat(
            writes(
                message(20, 0, 0),
                message(20, 1, 0),
                message(24, 0, 0),
                message(20, 1, 0),
                message(12, 0, 1)))
        .containsExactly("20+0?0", "44+1?0", "32+1?1");
  }

  @Test
  void aWriteEndsWhereTheChannelsDoes() {
    assertThat(writes(message(30_000, 0, 0), message(2_768, 0, 0), message(12, 0, 1)))
        .containsExactly("32768+0?0", "12+0?1");
  }

  @Test
  void theWindowOfThePatchesHasAKickAndACallBehindEachBase() {
    byte[] base = new byte[20];
    base[0] = 10; // SET_VRING_BASE
    base[12] = 3; // its ring
    var recording =
        new Recording(
            List.of(
                new Talk(List.of(), List.of(List.of(new Told(base, 0, 0), message(20, 0, 1))))));

    List<Told> window = recording.withKicksAndCalls().devices().getFirst().phases().getFirst();

    assertThat(window).extracting(told -> (int) told.bytes()[0]).containsExactly(10, 12, 13, 0);
    assertThat(window).extracting(told -> (int) told.bytes()[12]).containsExactly(3, 3, 3, 0);
    assertThat(window).extracting(Told::descriptors).containsExactly(0, 1, 1, 0);
    assertThat(window).extracting(Told::answers).containsExactly(0, 0, 0, 1);
  }

  @Test
  void nothingIsNoWrite() {
    assertThat(writes()).isEmpty();
  }
}
