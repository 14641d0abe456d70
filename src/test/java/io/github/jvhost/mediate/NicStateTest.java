package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.mediate.NicState.Event;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of a NIC's states: each row, and nothing beside the rows. */
class NicStateTest {
  private static final String ROWS =
      """
      NO_FRONT_END FRONT_END_CAME CONNECTED
      NO_FRONT_END SWITCH_WENT NO_FRONT_END
      NO_FRONT_END SWITCH_CAME NO_FRONT_END
      CONNECTED PRESETUP_BEGUN PRESETTING
      CONNECTED STARTED RUNNING
      CONNECTED SWITCH_WENT CONNECTED
      CONNECTED SWITCH_CAME CONNECTED
      CONNECTED FRONT_END_WENT NO_FRONT_END
      PRESETTING PRESETUP_DONE PRESET
      PRESETTING SWITCH_WENT CONNECTED
      PRESETTING STARTED RUNNING
      PRESETTING FRONT_END_WENT NO_FRONT_END
      PRESET PRESETUP_BEGUN PRESETTING
      PRESET SWITCH_WENT CONNECTED
      PRESET STARTED RUNNING
      PRESET FRONT_END_WENT NO_FRONT_END
      RUNNING STOPPED STOPPED
      RUNNING SWITCH_WENT NO_SWITCH
      RUNNING FRONT_END_WENT NO_FRONT_END
      STOPPED STARTED RUNNING
      STOPPED PRESETUP_BEGUN PRESETTING
      STOPPED SWITCH_WENT STOPPED
      STOPPED SWITCH_CAME STOPPED
      STOPPED FRONT_END_WENT NO_FRONT_END
      NO_SWITCH SWITCH_CAME RUNNING
      NO_SWITCH STOPPED STOPPED
      NO_SWITCH SWITCH_WENT NO_SWITCH
      NO_SWITCH FRONT_END_WENT NO_FRONT_END
      """;

  record Row(NicState from, Event event, NicState to) {
    static Row of(String line) {
      String[] words = line.split(" ", -1);
      return new Row(
          NicState.valueOf(words[0]), Event.valueOf(words[1]), NicState.valueOf(words[2]));
    }
  }

  static Stream<Row> rows() {
    return ROWS.lines().map(Row::of);
  }

  @ParameterizedTest
  @MethodSource("rows")
  void anEventLeadsToTheNextState(Row row) {
    assertThat(row.from().after(row.event())).contains(row.to());
  }

  @Test
  void whatHasNoRowCannotHappen() {
    List<String> possible = new ArrayList<>();
    for (NicState from : NicState.values()) {
      for (Event event : Event.values()) {
        from.after(event).ifPresent(to -> possible.add(from + " " + event + " " + to));
      }
    }
    assertThat(possible).containsExactlyInAnyOrderElementsOf(ROWS.lines().toList());
  }

  @ParameterizedTest
  @CsvSource({
    "NO_FRONT_END,false",
    "CONNECTED,false",
    "PRESETTING,false",
    "PRESET,false",
    "RUNNING,true",
    "STOPPED,false",
    "NO_SWITCH,true"
  })
  void theFrontEndBelievesThatItRuns(NicState state, boolean believes) {
    assertThat(state.isStarted()).isEqualTo(believes);
  }
}
