package io.github.jvhost.testkit.scenario;

/** Receives the progress of a scenario. Any thread may call it. */
@FunctionalInterface
public interface ScenarioProgress {
  /**
   * Called when a step begins.
   *
   * @param variant the migration
   * @param what the step, in a few words
   */
  void at(Variant variant, String what);
}
