package io.github.jvhost.testkit.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class PingSeriesTest {
  private final PingSeries series = new PingSeries();

  private PingStats stats() {
    return series.stats(Duration.ZERO);
  }

  @Test
  void tellsAnswersDuplicatesAndStrangersApart() {
    for (int i = 0; i < 4; i++) {
      series.sent(i);
    }
    series.answered(1);
    series.answered(1);
    series.answered(3);
    series.answered(4);
    series.answered(-1);
    PingStats stats = stats();
    assertThat(stats.sent()).isEqualTo(4);
    assertThat(stats.answered()).isEqualTo(2);
    assertThat(stats.duplicates()).isEqualTo(1);
    assertThat(stats.unknown()).isEqualTo(2);
    assertThat(stats.lost()).isEqualTo(2);
    assertThat(stats.lostSequences()).containsExactly(0L, 2L);
    assertThat(series.stats(Duration.ofDays(1)).inFlight()).isEqualTo(2);
    assertThat(series.stats(Duration.ofDays(1)).lost()).isZero();
  }

  @Test
  void aGuestThatWentBackInTimeShows() {
    series.sent(0);
    series.sent(1);
    series.sent(1);
    assertThat(stats().resent()).isEqualTo(1);
    assertThat(stats().sent()).isEqualTo(2);
  }

  @Test
  void recoveredMeansARequestFromAfterTheMark() {
    series.sent(0);
    series.mark();
    series.answered(0);
    assertThat(series.recovered()).as("asked before the mark").isFalse();
    series.sent(1);
    series.answered(1);
    assertThat(series.recovered()).isTrue();
    assertThat(stats().longestGapNanos()).isPositive();
    series.mark();
    assertThat(series.recovered()).isFalse();
    assertThat(stats().longestGapNanos()).isZero();
  }

  @Test
  void whatTheAskerGaveUpIsNotLost() {
    series.sent(0);
    series.sent(1);
    series.abandonUnanswered();
    series.sent(2);
    assertThat(stats().abandoned()).isEqualTo(2);
    assertThat(stats().lost()).isEqualTo(1);
    series.answered(0);
    assertThat(stats().abandoned()).isEqualTo(1);
    assertThat(stats().answered()).isEqualTo(1);
  }

  @Test
  void onlyWhatTheAskerGaveUpIsAbandoned() {
    for (int i = 0; i < 6; i++) {
      series.sent(i);
    }
    series.answered(1);

    series.abandonUnanswered(sequence -> sequence % 2 == 1);

    assertThat(stats().abandoned()).isEqualTo(2);
    assertThat(stats().lostSequences()).containsExactly(0L, 2L, 4L);
  }

  @Test
  void whatIsTooOldToBeRememberedStillCountsAsLost() {
    for (int i = 0; i < 70_000; i++) {
      series.sent(i);
      if (i >= 10) {
        series.answered(i);
      }
    }
    assertThat(stats().lost()).isEqualTo(10);
    series.answered(0);
    assertThat(stats().unknown()).isEqualTo(1);
  }
}
