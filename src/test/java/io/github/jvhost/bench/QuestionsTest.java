package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** That no row gets lost. */
class QuestionsTest {
  private final Questions questions =
      Questions.of(
          new Question("one", new Goal.Shorter(3)), new Question("other", new Goal.Known()));

  @Test
  void allRowsSayWhatWentWrong() {
    List<BenchRow> rows =
        questions.ask(() -> {
          throw new VhostException("the back end heard something else", Recovery.GIVE_UP);
        });

    assertThat(rows).extracting(BenchRow::name).containsExactly("one", "other");
    assertThat(rows)
        .allSatisfy(row -> {
          assertThat(row.verdict()).isEqualTo(BenchRow.Verdict.MISSED);
          assertThat(row.measured().describe())
              .isEqualTo("failed: the back end heard something else");
        });
  }

  @Test
  void effortScales() {
    assertThat(new Effort(30, 60).times(5)).isEqualTo(new Effort(150, 300));
    assertThat(new Effort(0, 1).times(0.1)).isEqualTo(new Effort(0, 1));
    assertThat(new Effort(30, 60).warmedUp(7)).isEqualTo(new Effort(7, 60));
  }
}
