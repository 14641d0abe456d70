package io.github.jvhost.cli;

import io.github.jvhost.bench.BenchRow;
import io.github.jvhost.bench.Goal;
import io.github.jvhost.bench.Machine;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/** The rows of a benchmark as output. */
final class BenchSummary {
  private BenchSummary() {}

  /**
   * Returns the machine and all rows, without text: each row's text is printed when it is measured.
   */
  static Shown of(Machine machine, List<BenchRow> rows) {
    return new Shown()
        .json(
            "machine",
            new Shown()
                .json("cores", machine.cores())
                .json("processor", machine.processor())
                .json("jdk", machine.jdk())
                .json("kernel", machine.kernel()))
        .json("rows", rows, BenchSummary::row);
  }

  /** Returns one row as a line: name, goal, ratio, whether the goal is met, what was measured. */
  static Shown row(BenchRow row) {
    var shown =
        new Shown()
            .both("name", row.name(), "%-66s ")
            .both("goal", row.goal().describe(), "%-27s ")
            .json("measured", row.measured().describe())
            .json("ratio", rounded(row.ratio()))
            .text("%15s  ", ratio(row))
            .json("ratio99", rounded(row.ratio99()));
    switch (row.verdict()) {
      case HOLDS -> shown.both("holds", true, "holds");
      case MISSED -> shown.both("holds", false, "MISS ");
      case OPEN -> shown.both("holds", null, "-    ");
    }
    return shown.text("  (%s)%n", row.measured().describe());
  }

  private static String ratio(BenchRow row) {
    OptionalDouble ratio = row.ratio();
    String unit = row.goal() instanceof Goal.Shorter ? "x shorter" : "times";
    return ratio.isEmpty() ? "" : String.format(Locale.ROOT, "%.2f %s", ratio.getAsDouble(), unit);
  }

  private static @Nullable Double rounded(OptionalDouble number) {
    return number.isPresent() ? Math.round(number.getAsDouble() * 1e4) / 1e4 : null;
  }
}
