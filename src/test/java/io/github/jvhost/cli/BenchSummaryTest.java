package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.bench.BenchRow;
import io.github.jvhost.bench.Goal;
import io.github.jvhost.bench.Machine;
import io.github.jvhost.bench.Measured;
import io.github.jvhost.bench.Times;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What {@code jvhost bench} prints of rows, whatever was measured. */
class BenchSummaryTest {
  private static final BenchRow HELD =
      new BenchRow(
          "window; to off",
          new Goal.Shorter(5),
          new Measured.Timed(new Times(10_000, 20_000), new Times(80_000, 90_000), "16 messages"));

  private static final BenchRow LACKING =
      new BenchRow("window; to C", new Goal.Within(1.3, true), new Measured.Not("no gcc"));

  private static String json(BenchRow... rows) {
    var text = new StringWriter();
    var machine = new Machine(2, "some processor", "25", "6.1");
    JsonText.print(new PrintWriter(text), BenchSummary.of(machine, List.of(rows)));
    return text.toString().replaceAll("\\s+", " ");
  }

  private static String line(BenchRow row) {
    var text = new StringWriter();
    BenchSummary.row(row).printText(new PrintWriter(text));
    assertThat(text.toString()).endsWith("\n");
    return text.toString().stripTrailing();
  }

  @Test
  void aRowIsOneLine() {
    assertThat(line(HELD))
        .matches(
            "window; to off +>= 5 times shorter +8\\.00 x shorter +holds +"
                + "\\(p50 10\\.0 us to 80\\.0 us, p99 20\\.0 us to 90\\.0 us; 16 messages\\)");
    assertThat(line(LACKING)).contains("-").endsWith("(not measured: no gcc)");
  }

  @Test
  void scriptsGetRatioAndVerdict() {
    assertThat(json(HELD))
        .contains("\"name\" : \"window; to off\"")
        .contains("\"goal\" : \">= 5 times shorter\"")
        .contains("\"ratio\" : 8.0, \"ratio99\" : 4.5, \"holds\" : true");
  }

  @Test
  void whatIsNotMeasuredIsNull() {
    assertThat(json(LACKING))
        .contains("\"measured\" : \"not measured: no gcc\"")
        .contains("\"ratio\" : null, \"ratio99\" : null, \"holds\" : null");
  }

  @Test
  void theMachineIsNextToTheRows() {
    assertThat(json())
        .contains("\"machine\" : { \"cores\" : 2, \"processor\" : \"some processor\"");
  }
}
