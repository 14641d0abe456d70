package io.github.jvhost.migration;

import io.github.jvhost.migration.MigrationMessage.Preset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The destination's answers about the presetup of each device. */
final class PresetupAnswers {
  private final Set<String> devices;
  private final Map<String, Preset> newest = new HashMap<>();
  private int generation;

  PresetupAnswers(Collection<String> devices) {
    this.devices = new HashSet<>(devices);
  }

  /** Early records of this generation were sent: answers to older ones count no more. */
  void expect(int newGeneration) {
    generation = newGeneration;
  }

  void take(Preset preset) {
    if (!devices.contains(preset.device())) {
      throw MigrationException.malformed(
          "the destination answers for an unknown device, " + preset.device());
    }
    newest.put(preset.device(), preset);
  }

  /** Whether all that was asked for was answered, well or not. */
  boolean complete() {
    return generation == 0
        || devices.stream()
            .allMatch(d -> newest.containsKey(d) && newest.get(d).generation() >= generation);
  }

  /** Whether a device is preset as the newest early record says. */
  boolean isPreset(String device) {
    Preset preset = newest.get(device);
    return preset != null && preset.done() && preset.generation() == generation;
  }

  /** One line for each device that is not preset. */
  List<String> notes() {
    List<String> notes = new ArrayList<>();
    for (Preset preset : newest.values()) {
      if (!preset.done()) {
        notes.add(preset.device() + ": " + preset.note());
      }
    }
    return notes;
  }
}
