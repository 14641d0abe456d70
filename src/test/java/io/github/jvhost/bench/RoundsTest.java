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

  @Test
  void aRoundInWhichSomebodyWasDisturbedCountsForNobody() {
    List<Integer> turns = new ArrayList<>();
    int[] asked = new int[1];

    Rounds.Undisturbed rounds =
        Rounds.undisturbed(
            new Effort(1, 4),
            List.of(() -> noted(turns, 1), () -> noted(turns, 2)),
            () -> asked[0]++ % 2 == 0);

    assertThat(turns).hasSize(10);
    assertThat(rounds.times()).allMatch(h -> h.getTotalCount() == 2);
    assertThat(rounds.describe()).isEqualTo("2 of 4 rounds left out");
    Question row = new Question("a row", new Goal.Within(1, true));
    assertThat(row.timed(rounds, 1, "").measured()).isInstanceOf(Measured.Timed.class);
    var none = new Rounds.Undisturbed(rounds.times(), 4, 4);
    assertThat(row.timed(none, 1, "").measured()).isInstanceOf(Measured.Not.class);
  }

  private static long noted(List<Integer> turns, int who) {
    turns.add(who);
    return who;
  }
}
