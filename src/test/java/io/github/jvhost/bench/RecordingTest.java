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
    return new Talk(List.of(), List.of(window))
        .writes().stream()
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
  void nothingIsNoWrite() {
    assertThat(writes()).isEmpty();
  }
}
