package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

/** Whose turn it is. */
class RoundsTest {

  @Test
  void everyoneGoesFirstAsOften() {
    List<Integer> turns = new ArrayList<>();

    Rounds.run(
        new Effort(0, 3),
        List.of(() -> noted(turns, 0), () -> noted(turns, 1), () -> noted(turns, 2)));

    assertThat(turns).containsExactly(0, 1, 2, 1, 2, 0, 2, 0, 1);
  }

  @Test
  void warmUpIsNotCounted() {
    List<Integer> turns = new ArrayList<>();

    List<Histogram> times = Rounds.run(new Effort(4, 2), List.of(() -> noted(turns, 7)));

    assertThat(turns).hasSize(6);
    assertThat(times).singleElement().satisfies(h -> assertThat(h.getTotalCount()).isEqualTo(2));
    assertThat(times.getFirst().getMaxValue()).isEqualTo(7);
  }

  private static long noted(List<Integer> turns, int who) {
    turns.add(who);
    return who;
  }
}
