package io.github.jvhost.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.jvhost.bench.BenchRow;
import io.github.jvhost.bench.Goal;
import io.github.jvhost.bench.Machine;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** A benchmark's rows, for people and for scripts. */
final class BenchText {
  private BenchText() {}

  /** One line. */
  static String line(BenchRow row) {
    return "%-66s %-27s %15s  %-5s  (%s)"
        .formatted(
            row.name(), row.goal().describe(), ratio(row), verdict(row), row.measured().describe());
  }

  private static String ratio(BenchRow row) {
    OptionalDouble ratio = row.ratio();
    if (ratio.isEmpty()) {
      return "";
    }
    String unit = row.goal() instanceof Goal.Shorter ? "x shorter" : "times";
    return String.format(Locale.ROOT, "%.2f %s", ratio.getAsDouble(), unit);
  }

  private static String verdict(BenchRow row) {
    return switch (row.verdict()) {
      case HOLDS -> "holds";
      case MISSED -> "MISS";
      case OPEN -> "-";
    };
  }

  /**
   * One object: the machine, and the rows with name, goal, measured, ratio (null: none) and holds
   * (null: neither).
   */
  static void json(PrintWriter out, Machine machine, List<BenchRow> rows) {
    JsonText.print(
        out,
        members -> {
          members.writeObjectFieldStart("machine");
          members.writeNumberField("cores", machine.cores());
          members.writeStringField("processor", machine.processor());
          members.writeStringField("jdk", machine.jdk());
          members.writeStringField("kernel", machine.kernel());
          members.writeEndObject();
          members.writeArrayFieldStart("rows");
          for (BenchRow row : rows) {
            row(members, row);
          }
          members.writeEndArray();
        });
  }

  private static void row(JsonGenerator json, BenchRow row) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", row.name());
    json.writeStringField("goal", row.goal().describe());
    json.writeStringField("measured", row.measured().describe());
    number(json, "ratio", row.ratio());
    number(json, "ratio99", row.ratio99());
    switch (row.verdict()) {
      case HOLDS -> json.writeBooleanField("holds", true);
      case MISSED -> json.writeBooleanField("holds", false);
      case OPEN -> json.writeNullField("holds");
    }
    json.writeEndObject();
  }

  private static void number(JsonGenerator json, String name, OptionalDouble number)
      throws IOException {
    if (number.isPresent()) {
      json.writeNumberField(name, Math.round(number.getAsDouble() * 1e4) / 1e4);
    } else {
      json.writeNullField(name);
    }
  }
}
