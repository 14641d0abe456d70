package io.github.jvhost.vmstate;

import static java.util.stream.Collectors.joining;

import java.util.LinkedHashSet;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Descriptions as tables for people, in Markdown: each once, those inside of others behind them.
 */
final class DescriptionTables {
  private final Set<Description<?>> all = new LinkedHashSet<>();

  private DescriptionTables() {}

  static String of(Description<?> outermost) {
    var tables = new DescriptionTables();
    tables.collect(outermost);
    return tables.all.stream().map(DescriptionTables::table).collect(joining("\n"));
  }

  private void collect(Description<?> description) {
    if (all.add(description)) {
      description.fields().forEach(field -> field.codec().inner().ifPresent(this::collect));
      description.subsections().forEach(subsection -> collect(subsection.body()));
    }
  }

  private static String table(Description<?> description) {
    String versions =
        description.minimumVersion() == description.version()
            ? "version " + description.version()
            : "versions %d to %d".formatted(description.minimumVersion(), description.version());
    Stream<String> fields =
        description.fields().stream()
            .filter(field -> !field.codec().words().isEmpty())
            .map(field -> row(field.name(), field.codec().words(), condition(field)));
    Stream<String> subsections =
        description.subsections().stream()
            .map(s -> row(s.body().name(), "subsection", s.condition()));
    return "### `%s`, %s\n\n| field | consists of | when |\n|---|---|---|\n%s\n"
        .formatted(
            description.name(),
            versions,
            Stream.concat(fields, subsections).collect(joining("\n")));
  }

  private static String condition(Field<?> field) {
    String since = field.since() == 0 ? "" : "since version " + field.since();
    return Stream.of(field.condition(), since)
        .filter(part -> !part.isEmpty())
        .collect(joining(", "));
  }

  private static String row(String name, String type, String when) {
    return "| `%s` | %s | %s |".formatted(name, type, when).replace("|  |", "| |");
  }
}
