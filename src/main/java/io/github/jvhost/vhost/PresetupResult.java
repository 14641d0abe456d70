package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.Plan;
import org.jspecify.annotations.Nullable;

/**
 * What became of an early set-up. It never fails a migration: what was not told early is told in
 * the stop window.
 *
 * @param generation of the early state that it was about
 * @param done whether the back end is set up early now
 * @param note why not, or what is worth knowing; null: nothing
 * @param plan what was told; null: nothing
 * @param micros how long it took
 */
public record PresetupResult(
    int generation, boolean done, @Nullable String note, @Nullable Plan plan, long micros) {

  static PresetupResult skipped(int generation, String why) {
    return new PresetupResult(generation, false, why, null, 0);
  }
}
