package io.github.jvhost.migration;

/**
 * Told on the migration's own thread as it goes; it may call {@link MigrationSource#cancel} and may
 * change the guest's devices, and holds the migration up as long as it takes.
 */
@FunctionalInterface
public interface MigrationListener {
  /**
   * A phase begins.
   *
   * @param phase which one; they come in the order of their declaration
   */
  void phase(Phase phase);

  /**
   * Before each round of RAM but the last.
   *
   * @param round counts from 0
   * @param pages sent up to now
   * @param presetupAnswered whether the destination has said of every device what became of its
   *     presetup
   */
  default void round(int round, long pages, boolean presetupAnswered) {}
}
