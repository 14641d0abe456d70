package io.github.jvhost.cli;

import static java.util.stream.Collectors.joining;

import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SavedField;
import io.github.jvhost.vmstate.SavedFields;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A saved device for people: a line for each field, a line for each ring. What an unused device has
 * too is left out, and so is what stands in the transport's registers where the device has the
 * same.
 */
final class SavedFieldsText {
  /** Said even where they are nothing: that they are none is worth a line. */
  private static final Set<String> ALWAYS = Set.of("status", "features", "msix vectors");

  private static final String REGISTERS = "registers' ";

  private SavedFieldsText() {}

  static void print(VirtioNetState state, PrintWriter out) {
    Map<String, List<SavedField>> groups = new LinkedHashMap<>();
    for (SavedField field : SavedFields.of(state)) {
      groups.computeIfAbsent(field.group(), _ -> new ArrayList<>()).add(field);
    }
    groups.forEach((group, fields) -> {
      Map<String, SavedField.Value> values = new HashMap<>();
      fields.forEach(field -> values.put(field.name(), field.value()));
      List<SavedField> said =
          fields.stream()
              .filter(SavedFieldsText::isWorthALine)
              .filter(field -> !isInTheDeviceToo(field, values))
              .toList();
      if (group.startsWith("ring ")) {
        out.println("  %-8s %s".formatted(group, onOneLine(said)));
      } else {
        said.forEach(field -> out.println("  %-24s %s".formatted(field.path(), text(field))));
      }
    });
  }

  private static boolean isWorthALine(SavedField field) {
    return !field.value().isNothing() || ALWAYS.contains(field.path());
  }

  private static boolean isInTheDeviceToo(
      SavedField register, Map<String, SavedField.Value> values) {
    if (!register.name().startsWith(REGISTERS)) {
      return false;
    }
    String name = register.name().substring(REGISTERS.length());
    return name.equals("enable")
        ? !values.getOrDefault("desc", register.value()).isNothing()
        : register.value().equals(values.get(name));
  }

  private static String onOneLine(List<SavedField> fields) {
    return fields.stream()
        .map(field -> field.name().equals("use") ? text(field) : field.name() + " " + text(field))
        .collect(joining(", "));
  }

  private static String text(SavedField field) {
    String text = field.value().text();
    return field.path().equals("msix vectors") && field.value().isNothing() ? "none (INTx)" : text;
  }
}
