package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.jspecify.annotations.Nullable;

/**
 * A field in which two saved states of a device differ.
 *
 * @param field its group and name: "ring 3 next"
 * @param before the value in the earlier state; null if it has no such field
 * @param after the value in the later state; null if it has no such field
 */
public record StateDifference(
    String field, SavedField.@Nullable Value before, SavedField.@Nullable Value after) {

  /**
   * {@return all fields that differ, in the order of {@link SavedField#of}}
   *
   * @param before the earlier state
   * @param after the later state of the same device
   */
  public static List<StateDifference> between(VirtioNetState before, VirtioNetState after) {
    SequencedMap<String, SavedField.Value> old = byPath(before);
    SequencedMap<String, SavedField.Value> young = byPath(after);
    SequencedSet<String> paths = new LinkedHashSet<>(old.sequencedKeySet());
    paths.addAll(young.sequencedKeySet());
    List<StateDifference> differences = new ArrayList<>();
    for (String path : paths) {
      SavedField.Value from = old.get(path);
      SavedField.Value to = young.get(path);
      boolean same =
          (from == null || to == null) ? isNothing(from) && isNothing(to) : from.equals(to);
      if (!same) {
        differences.add(new StateDifference(path, from, to));
      }
    }
    return differences;
  }

  private static SequencedMap<String, SavedField.Value> byPath(VirtioNetState state) {
    SequencedMap<String, SavedField.Value> map = new LinkedHashMap<>();
    for (SavedField field : SavedField.of(state)) {
      map.put(field.path(), field.value());
    }
    return map;
  }

  private static boolean isNothing(SavedField.@Nullable Value value) {
    return value == null || value.isNothing();
  }

  /**
   * {@return the difference on one line: {@code "ring 3 next 79 -> 98"}, {@code "features +MQ
   * -MRG_RXBUF"}, {@code "config space at 0x4 06 -> 07"}}
   */
  public String describe() {
    if (before instanceof SavedField.Names(var old)
        && after instanceof SavedField.Names(var young)) {
      return field + changedNames(old, young);
    }
    if (before instanceof SavedField.Raw(var old)
        && after instanceof SavedField.Raw(var young)
        && old.size() == young.size()) {
      return field + changedBytes(old, young);
    }
    if (before instanceof SavedField.Opaque(var old)
        && after instanceof SavedField.Opaque(var young)
        && old.size() == young.size()) {
      return field + " other " + young.size() + " bytes";
    }
    return "%s %s -> %s".formatted(field, text(before), text(after));
  }

  private static String text(SavedField.@Nullable Value value) {
    return value == null || value.text().isEmpty() ? "none" : value.text();
  }

  private static String changedNames(List<String> old, List<String> young) {
    var text = new StringBuilder();
    Map<String, Integer> counts = new LinkedHashMap<>();
    old.forEach(name -> counts.merge(name, -1, Integer::sum));
    young.forEach(name -> counts.merge(name, 1, Integer::sum));
    counts.forEach((name, count) -> {
      if (count != 0) {
        text.append(count < 0 ? " -" : " +").append(name);
      }
    });
    return text.isEmpty() ? " in another order" : text.toString();
  }

  private static String changedBytes(Bytes old, Bytes young) {
    int first = -1;
    int count = 0;
    for (int i = 0; i < old.size(); i++) {
      if (old.at(i) != young.at(i)) {
        first = first < 0 ? i : first;
        count++;
      }
    }
    String where =
        " at 0x%x %02x -> %02x".formatted(first, old.at(first) & 0xFF, young.at(first) & 0xFF);
    return count == 1 ? where : where + ", and %d bytes more".formatted(count - 1);
  }
}
