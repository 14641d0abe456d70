package io.github.jvhost.vhost;

import io.github.jvhost.vhost.plan.Plan;
import org.jspecify.annotations.Nullable;

/**
 * The result of presetup. It never fails a migration: what was not sent early is sent in the stop
 * window.
 *
 * @param generation of the early state
 * @param done whether the back end is preset now
 * @param note why it is not; null if it is
 * @param plan what was sent; null if nothing was
 * @param micros how long it took
 */
public record PresetupResult(
    int generation, boolean done, @Nullable String note, @Nullable Plan plan, long micros) {

  static PresetupResult skipped(int generation, String why) {
    return new PresetupResult(generation, false, why, null, 0);
  }
}
