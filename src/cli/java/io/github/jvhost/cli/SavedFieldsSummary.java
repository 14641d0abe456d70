package io.github.jvhost.cli;

import static java.util.stream.Collectors.joining;

import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SavedField;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A saved device as output. The text has a line for each field and a line for each ring. It leaves
 * out fields with the values of an unused device, and transport registers with the same values as
 * the device. The JSON has all fields: groups are objects, rings an array in the order of their
 * indexes, addresses and bits strings in hexadecimal.
 */
final class SavedFieldsSummary {
  /** Fields that are shown even if they are empty. */
  private static final Set<String> ALWAYS = Set.of("status", "features", "msix vectors");

  private static final String REGISTERS = "registers' ";
  private static final Pattern WORD_START = Pattern.compile("[^a-z0-9]+([a-z0-9])");

  private SavedFieldsSummary() {}

  /** Adds the fields of a state to the output of its device. */
  static void add(Shown device, VirtioNetState state) {
    Map<String, List<SavedField>> groups = new LinkedHashMap<>();
    for (SavedField field : SavedField.of(state)) {
      groups.computeIfAbsent(field.group(), _ -> new ArrayList<>()).add(field);
    }
    List<Shown> rings = new ArrayList<>();
    groups.forEach((group, fields) -> {
      Shown members = group.isEmpty() ? device : new Shown();
      Map<String, SavedField.Value> values = new HashMap<>();
      for (SavedField field : fields) {
        members.json(key(field.name()), json(field.value()));
        values.put(field.name(), field.value());
      }
      List<SavedField> said =
          fields.stream()
              .filter(SavedFieldsSummary::isWorthALine)
              .filter(field -> !isInTheDeviceToo(field, values))
              .toList();
      if (group.startsWith("ring ")) {
        rings.add(members.text("  %-8s %s%n", group, onOneLine(said)));
        return;
      }
      said.forEach(field -> members.text("  %-24s %s%n", field.path(), text(field)));
      if (!group.isEmpty()) {
        device.both(key(group), members);
      }
    });
    device.both("rings", rings, ring -> ring);
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

  /** Returns a value as JSON, or null if there is none. */
  static @Nullable Object json(SavedField.@Nullable Value value) {
    return switch (value) {
      case null -> null;
      case SavedField.Count(long number) -> number;
      case SavedField.Hex hex -> hex.text();
      case SavedField.Flag(boolean set) -> set;
      case SavedField.Text(String text) -> text.isEmpty() ? null : text;
      case SavedField.Names(var names) -> names;
      case SavedField.Opaque(var bytes) -> new Shown().json("bytes", bytes.size());
      case SavedField.Raw(var bytes) -> bytes.toHex();
    };
  }

  /** Turns "guest offloads" into "guestOffloads". */
  private static String key(String words) {
    return WORD_START
        .matcher(words.replace("'", ""))
        .replaceAll(start -> start.group(1).toUpperCase(Locale.ROOT));
  }
}
