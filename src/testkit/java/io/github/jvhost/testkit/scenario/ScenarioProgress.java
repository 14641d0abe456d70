package io.github.jvhost.testkit.scenario;

/** Told what a scenario is doing; called on any thread. */
@FunctionalInterface
public interface ScenarioProgress {
  /**
   * Something begins.
   *
   * @param variant which migration
   * @param what in a few words
   */
  void at(Variant variant, String what);
}
