package io.github.jvhost.migration;

/**
 * Told on the migration's own thread as it goes, and holds it up as long as it takes. The source's
 * may call {@link MigrationSource#cancel}, and may change the guest's devices up to {@link
 * Phase#STOP}, that one included.
 *
 * <p>Behind that the devices are the migration's. At {@link Phase#HAND_OVER} of the source their
 * stop is not finished: {@link io.github.jvhost.vhost.VhostNet#access} and whatever else tells a
 * back end something throws an {@link IllegalStateException} on this thread. At the source's {@link
 * Phase#DONE} they must be left alone, too: the guest runs elsewhere, and they would be started
 * again. On the destination they can be used from {@link Phase#DONE} on.
 *
 * <p>What a listener throws before everything was handed over ends the migration; the guest stays
 * on the source. What it throws later is logged.
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
   * Before each round of RAM but the last, which is sent with the guest stopped.
   *
   * @param round counts from 0
   * @param pages sent up to now
   * @param presetupAnswered whether the destination has said of every device what became of its
   *     presetup
   */
  default void round(int round, long pages, boolean presetupAnswered) {}
}
